/* How common texts are in Windows events. */
#include "lib/rules/literals.h"

enum {
	EVERYWHERE = 20000, /* what texts cost that stand in most records */
	OFTEN = 1000,
};

/* clang-format off */
/* What most records of some log hold, whatever happened; a line each. */
static const char everywhere[] =
	"microsoft-windows-sysmon\nmicrosoft-windows-security-auditing\nmicrosoft-windows-powershell\n"
	"microsoft\nwindowspowershell\nwindows\nsystem32\nsyswow64\nprogram files\nprogramdata\n"
	"security-auditing\nsecurity\nusers\nuser\nhttps\nprocess\ncommand\ncommandline\nservices\n"
	"local\nsysmon\neventlog\nevents\neventid\npowershell\nsvchost\ntrue\nfalse\nsystem\nname\nfile\n"
	"data\nnt authority\ninformation\ndescription\noriginalfilename\nnetwork\nconnection\nversion\n"
	"administrator\nregistry\noperational\ncorporation\noperating\ncompany\nproduct\nhashes\n"
	"imphash\nsha256\nhostname\ncomputer\ntimestamp\nmessage\nchannel\nkeywords\nprovider\nseverity\n"
	"category\ntask\nopcode\ntarget\nsource\nsubject\nobject\nimage\naccount\ndomain\nlogon\nloaded\n"
	"signature\nsigned\nvalid\ndetails\nsoftware\nkernel32\nkernelbase\nntdll\nwinlogbeat\nwinlog\n"
	"metadata\ndefault\nexplorer\ns-1-5-21-\ns-1-5-18\n-0000-\n0000000000\nutctime\nprocessid\n"
	"processguid\nintegritylevel\nlevel\nparentimage\nparentcommandline\ncurrentdirectory\n"
	"terminalsessionid\nnewprocessname\ntokenelevationtype\nmandatorylabel\n.exe\n.dll\nhttp\nexe\n"
	"dll\ncom\nnet\n";

/* What some records in a hundred hold. */
static const char often[] =
	"appdata\nroaming\ntemp\npublic\ndownloads\ndocuments\ndesktop\ndevice\nharddiskvolume\nprogram\n"
	"control\nservice\nscript\nscriptblock\nconhost\nconsolehost\nmachine\ncurrentversion\n"
	"currentcontrolset\nrequest\nserver\nshell\nvalue\nclass\naddress\nport\nexecution\napplication\n"
	"engine\npipeline\ncontext\ninvocation\nclient\ncreatekey\nsetvalue\ndeletevalue\nlsass\n"
	"winlogon\nmscorlib\nwmiprvse\nframework\nmicrosoft.net\nupdate\nmanager\ndefender\nlibrary\n"
	"internet\ncontent\npolicies\nsettings\ninstall\ndownload\nfiles\ncache\npath\nstart\nrun\n"
	"runonce\ncreate\ndelete\nopen\nload\nquery\ninvoke\nexecutable\nextension\nhkey_\nclsid\n"
	"software\\microsoft\nhost\nconfig\nlog\ncmd\nbin\nlib\nkey\nset\nget\nnew\nnew-object\n"
	"workstation\nadmin\nlocal service\nnetwork service\nstring\ntype\nformat\nfunction\nmodule\n"
	"import\nexport\ndirectory\nfolder\n";
/* clang-format on */

/* Digits, points, letters that hexadecimal numbers have: most of these are about something else. */
static bool is_number(struct sq_sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!sq_is_digit(text.p[i]) && !(text.p[i] >= 'a' && text.p[i] <= 'f') &&
		    text.p[i] != '.' && text.p[i] != '-')
			return false;
	return true;
}

uint32_t sq_literal_cost(struct sq_sv text)
{
	static const uint16_t of_words[] = { 9000, 9000, 4000, 400, 40, 10, 8 };
	static const uint16_t of_numbers[] = { 20000, 20000, 20000, 9000, 1500, 200, 40, 10, 6 };
	uint32_t cost;

	if (is_number(text))
		cost = text.n < SQ_LEN(of_numbers) ? of_numbers[text.n] : 5;
	else
		cost = text.n < SQ_LEN(of_words) ? of_words[text.n] : 5;
	/* A text is all or a part of a line: it holds no line end. */
	if (sq_sv_find((struct sq_sv){ everywhere, sizeof(everywhere) - 1 }, text) != SIZE_MAX)
		return cost + EVERYWHERE;
	if (sq_sv_find((struct sq_sv){ often, sizeof(often) - 1 }, text) != SIZE_MAX)
		return cost + OFTEN;
	return cost;
}
