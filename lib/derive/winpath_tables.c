#include "lib/derive/winpath_private.h"

struct pair {
	struct sq_sv name, value;
};

/* As on a machine where nothing was moved, for a user called "user". Values hold no '%' or '$' and
 * are never a mere word, so that expanding twice is expanding once. */
static const struct pair variables[] = {
	{ SQ_SV("windir"), SQ_SV("c:\\windows") },
	{ SQ_SV("systemroot"), SQ_SV("c:\\windows") },
	{ SQ_SV("systemdrive"), SQ_SV("c:") },
	{ SQ_SV("homedrive"), SQ_SV("c:") },
	{ SQ_SV("homepath"), SQ_SV("\\users\\user") },
	{ SQ_SV("userprofile"), SQ_SV("c:\\users\\user") },
	{ SQ_SV("appdata"), SQ_SV("c:\\users\\user\\appdata\\roaming") },
	{ SQ_SV("localappdata"), SQ_SV("c:\\users\\user\\appdata\\local") },
	{ SQ_SV("temp"), SQ_SV("c:\\users\\user\\appdata\\local\\temp") },
	{ SQ_SV("tmp"), SQ_SV("c:\\users\\user\\appdata\\local\\temp") },
	{ SQ_SV("onedrive"), SQ_SV("c:\\users\\user\\onedrive") },
	{ SQ_SV("public"), SQ_SV("c:\\users\\public") },
	{ SQ_SV("programdata"), SQ_SV("c:\\programdata") },
	{ SQ_SV("allusersprofile"), SQ_SV("c:\\programdata") },
	{ SQ_SV("programfiles"), SQ_SV("c:\\program files") },
	{ SQ_SV("programw6432"), SQ_SV("c:\\program files") },
	{ SQ_SV("programfiles(x86)"), SQ_SV("c:\\program files (x86)") },
	{ SQ_SV("commonprogramfiles"), SQ_SV("c:\\program files\\common files") },
	{ SQ_SV("commonprogramw6432"), SQ_SV("c:\\program files\\common files") },
	{ SQ_SV("commonprogramfiles(x86)"), SQ_SV("c:\\program files (x86)\\common files") },
	{ SQ_SV("comspec"), SQ_SV("c:\\windows\\system32\\cmd.exe") },
};

/* What the installer of Windows gives in this order on every machine. */
static const struct pair long_names[] = {
	{ SQ_SV("progra~1"), SQ_SV("program files") },
	{ SQ_SV("progra~2"), SQ_SV("program files (x86)") },
	{ SQ_SV("progra~3"), SQ_SV("programdata") },
	{ SQ_SV("docume~1"), SQ_SV("documents and settings") },
};

/* clang-format off */
/* Libraries of System32 that register themselves, as repair scripts, Active Setup and Microsoft's
 * papers name them, and the controls of Visual Basic 6 that programs put there. Without ".dll", in
 * order; other extensions are written. */
static const char *const system_libraries[] = {
	"accessibilitycpl", "acctres", "acledit", "aclui", "activeds", "actxprxy", "adsiedit", "adsldp",
	"adsldpc", "advapi32", "advpack", "amstream", "apds", "appwiz.cpl", "asctrls.ocx", "asycfilt",
	"atl", "atl100", "atl110", "atl71", "avicap32", "avifil32", "axscphst", "azroles", "bdaplgin.ax",
	"browseui", "browsewm", "cabview", "catsrv", "catsrvut", "cdfview", "cdm", "cdo", "cdosys",
	"certcli", "certmgr", "ciadmin", "cic", "ciodm", "clbcatq", "cmdial32", "cmnquery", "colbact",
	"comadmin", "comcat", "comctl32", "comctl32.ocx", "comdlg32", "comdlg32.ocx", "comrepl",
	"comres", "comsnap", "comsvcs", "comuid", "corpol", "credui", "crypt32", "cryptdlg", "cryptext",
	"cryptnet", "cryptsvc", "cryptui", "ctfime.ime", "d3dim", "d3dxof", "danim", "datime",
	"daxctle.ocx", "dbnetlib", "desk.cpl", "deskadp", "deskmon", "deskperf", "devenum", "dfsshlex",
	"digest", "dinput", "dinput8", "directdb", "dispex", "dmband", "dmcompos", "dmime", "dmloader",
	"dmscript", "dmstyle", "dmsynth", "dmusic", "docprop", "docprop2", "dpnet", "dpvoice", "dpvvox",
	"dsdmo", "dsdmoprp", "dskquota", "dskquoui", "dsound3d", "dsprop", "dsquery", "dssenc", "dssenh",
	"dsuiext", "dswave", "dx7vb", "dx8vb", "dxdiagn", "dxmasf", "dxtmsft", "dxtrans", "els",
	"encapi", "encdec", "es", "esscli", "eventcls", "expsrv", "extmgr", "fastprox", "faultrep",
	"fde", "filemgmt", "firewall.cpl", "fldrclnr", "fontext", "fpwpp", "ftpctrs", "fxscom",
	"fxscomex", "gcdef", "gpedit", "gpkcsp", "gptext", "hdwwiz.cpl", "hhctrl.ocx", "hlink", "hmmapi",
	"hnetcfg", "iasads", "iasnap", "iassdo", "icfgnt", "icmfilter", "iedkcs32", "ieframe", "iepeers",
	"iesetup", "ils", "imgutil", "inetcfg", "inetcomm", "inetcpl.cpl", "initpki", "inseng",
	"intl.cpl", "ipsecsnp", "ir50_32", "itircl", "itss", "ixsso", "joy.cpl", "jscript", "jscript9",
	"kbdhid", "ksproxy.ax", "kstvtune.ax", "kswdmcap.ax", "ksxbar.ax", "l3codecx.ax", "laprxy",
	"licdll", "licmgr10", "linkinfo", "lmrt", "localsec", "lpk", "main.cpl", "mapi32", "mfc40",
	"mfc40u", "mfc42", "mfc42u", "mlang", "mmcndmgr", "mmefxe.ocx", "mmsys.cpl", "mobsync",
	"mp4sdmod", "mpeg2data.ax", "mpg2splt.ax", "mpg4ds32.ax", "msaatext", "msacm32", "msadce",
	"msado15", "msadodc.ocx", "msapsspc", "mscat32", "mschrt20.ocx", "mscomct2.ocx", "mscomctl.ocx",
	"mscomm32.ocx", "mscoree", "mscories", "msctf", "msdadc", "msdaenum", "msdaer", "msdaora",
	"msdaosp", "msdaps", "msdaremr", "msdart", "msdasc", "msdasql", "msdatgrd.ocx", "msdatlst.ocx",
	"msdatt", "msdaurl", "msdmo", "msdtcprx", "msdtctm", "msdtcuiu", "msdvbnp.ax", "msdxm.ocx",
	"msexch40", "msexcl40", "msflxgrd.ocx", "mshflxgd.ocx", "mshtml", "mshtmled", "msi", "msident",
	"msieftp", "msimsg", "msimtf", "msinet.ocx", "msisip", "msjet40", "msjetoledb40", "msjtes40",
	"msltus40", "msmask32.ocx", "msnsspc", "msoeacct", "msoert2", "mspatcha", "mspbde40", "msr2c",
	"msratelc", "msrating", "msrd2x40", "msrd3x40", "msrepl40", "msscp", "msscript.ocx", "mssign32",
	"mssip32", "msstdfmt", "mstask", "mstext40", "mstime", "mstinit", "mstscax", "msv1_0",
	"msvbvm50", "msvbvm60", "msvidctl", "mswebdvd", "mswinsck.ocx", "mswmdm", "mswstr10", "msxbde40",
	"msxml", "msxml2", "msxml3", "msxml4", "msxml6", "msyuv", "muweb", "mycomput", "mydocs",
	"narrhook", "ncobjapi", "ncpa.cpl", "netcfgx", "netman", "netplwiz", "netshell", "npmproxy",
	"npptools", "nshhttp", "nshipsec", "ntmsapi", "ntmsevt", "ntmsmgr", "nusrmgr.cpl", "nwprovau",
	"objsel", "occache", "odbc32", "oemiglib", "ole2", "ole32", "oleacc", "oleaut32", "olecli32",
	"oledb32", "oledlg", "oleprn", "olepro32", "olesvr32", "pautoenr", "photowiz", "picclp32.ocx",
	"plugin.ocx", "pngfilt", "polstore", "powercfg.cpl", "prnfldr", "proctexe.ocx", "propsys",
	"psisdecd", "psisrndr.ax", "pstorec", "pstorsvc", "qagent", "qasf", "qcap", "qdv", "qdvd",
	"qedit", "qedwipes", "qmgr", "qmgrprxy", "quartz", "query", "rcbdyctl", "regwizc", "rend",
	"richtx32.ocx", "rpcproxy", "rsaenh", "rshx32", "rtipxmib", "safrcdlg", "sbe", "sbeio",
	"scardssp", "sccbase", "sccsccp", "schmmgmt", "scripto", "scrobj", "scrrun", "sendmail", "sens",
	"sensapi", "shdocvw", "shell32", "shgina", "shimgvw", "shlwapi", "shmedia", "shsvcs", "sigverif",
	"simpdata.tlb", "slbcsp", "softpub", "srclient", "ssdpapi", "stclient", "stdole2.tlb", "stdprov",
	"sti", "stobject", "storprop", "swprv", "synceng", "syncui", "sysmon.ocx", "tabctl32.ocx",
	"tapi3", "tdc.ocx", "termmgr", "themeui", "trialoc", "triedit", "trkwks", "tsbyuv", "txflog",
	"upnp", "upnpcont", "upnphost", "upnpui", "url", "urlmon", "userenv", "usp10", "vbicodec.ax",
	"vbisurf.ax", "vbscript", "vidcap.ax", "vss_ps", "vssapi", "wab32", "wabfind", "wabimp",
	"wavemsp", "wbemdisp", "wbemprox", "wbemsvc", "wdigest", "wdmaud", "webcheck", "webvw", "wiaaut",
	"wiadefui", "wiascr", "wiaservc", "wiashext", "wiavideo", "windowscodecs", "winhttp", "wininet",
	"wintrust", "wlnotify", "wmidx", "wmnetmgr", "wmp", "wmpasf", "wmpdxm", "wmpshell", "wmsdmod",
	"wmsdmoe2", "wmspdmod", "wmspdmoe", "wmstream", "wmvcore", "wmvdmod", "wmvdmoe2", "wpdshext",
	"wsecedit", "wshcon", "wshext", "wshom.ocx", "wstdecod", "wuapi", "wuaueng", "wuaueng1",
	"wuauserv", "wucltui", "wucltux", "wudriver", "wups", "wups2", "wuweb", "wuwebv", "xmllite",
	"xolehlp", "zipfldr",
};
/* clang-format on */

static struct sq_sv look_up(const struct pair *list, size_t n, struct sq_sv name)
{
	for (size_t i = 0; i < n; i++) {
		if (sq_sv_eq(list[i].name, name))
			return list[i].value;
	}
	return (struct sq_sv){ 0 };
}

struct sq_sv sq_winpath_variable(struct sq_sv name)
{
	return look_up(variables, SQ_LEN(variables), name);
}

struct sq_sv sq_winpath_long_name(struct sq_sv name)
{
	return look_up(long_names, SQ_LEN(long_names), name);
}

bool sq_winpath_is_system_library(struct sq_sv name)
{
	size_t low = 0, high = SQ_LEN(system_libraries);

	if (sq_sv_ends(name, SQ_SV(".dll")))
		name.n -= 4;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = sq_sv_cmp(sq_sv_of(system_libraries[mid]), name);

		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
