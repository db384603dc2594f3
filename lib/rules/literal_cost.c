/* How common texts are in Windows events. */
#include "lib/rules/literals.h"

enum {
	EVERYWHERE = 20000, /* what texts cost that stand in most records */
	OFTEN = 1000,
};

/* clang-format off */
/* What most records of some log hold, whatever happened. */
static const char *const everywhere[] = {
	"microsoft-windows-sysmon", "microsoft-windows-security-auditing",
	"microsoft-windows-powershell", "microsoft", "windowspowershell", "windows", "system32",
	"syswow64", "program files", "programdata", "security-auditing", "security", "users",
	"user", "https", "process", "command", "commandline", "services", "local", "sysmon",
	"eventlog", "events", "eventid", "powershell", "svchost", "true", "false", "system",
	"name", "file", "data", "nt authority", "information", "description", "originalfilename",
	"network", "connection", "version", "administrator", "registry", "operational",
	"corporation", "operating", "company", "product", "hashes", "imphash", "sha256",
	"hostname", "computer", "timestamp", "message", "channel", "keywords", "provider",
	"severity", "category", "task", "opcode", "target", "source", "subject", "object", "image",
	"account", "domain", "logon", "loaded", "signature", "signed", "valid", "details",
	"software", "kernel32", "kernelbase", "ntdll", "winlogbeat", "winlog", "metadata",
	"default", "explorer", "s-1-5-21-", "s-1-5-18", "-0000-",
	"0000000000", "utctime", "processid", "processguid", "integritylevel", "level",
	"parentimage", "parentcommandline", "currentdirectory", "terminalsessionid",
	"newprocessname", "tokenelevationtype", "mandatorylabel", ".exe", ".dll", "http", "exe",
	"dll", "com", "net",
};

/* What some records in a hundred hold. */
static const char *const often[] = {
	"appdata", "roaming", "temp", "public", "downloads", "documents", "desktop", "device",
	"harddiskvolume", "program", "control", "service", "script", "scriptblock", "conhost",
	"consolehost", "machine", "currentversion", "currentcontrolset", "request", "server",
	"shell", "value", "class", "address", "port", "execution", "application", "engine",
	"pipeline", "context", "invocation", "client", "createkey", "setvalue", "deletevalue",
	"lsass", "winlogon", "mscorlib", "wmiprvse", "framework", "microsoft.net", "update",
	"manager", "defender", "library", "internet", "content", "policies", "settings", "install",
	"download", "files", "cache", "path", "start", "run", "runonce", "create",
	"delete", "open", "load", "query", "invoke", "executable", "extension", "hkey_", "clsid",
	"software\\microsoft", "host", "config", "log", "cmd", "bin", "lib", "key", "set", "get",
	"new", "new-object", "workstation", "admin", "local service", "network service", "string",
	"type", "format", "function", "module", "import", "export", "directory", "folder",
};
/* clang-format on */

static bool is_among(struct sq_sv text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sq_sv_find(sq_sv_of(words[i]), text) != SIZE_MAX)
			return true;
	return false;
}

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
	if (is_among(text, everywhere, SQ_LEN(everywhere)))
		return cost + EVERYWHERE;
	return is_among(text, often, SQ_LEN(often)) ? cost + OFTEN : cost;
}
