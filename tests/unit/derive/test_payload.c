/* Commands in payloads of PowerShell's event 4103. */
#include "tests/support/test.h"

#include "lib/derive/stored.h"

struct payload_case {
	const char *name;
	struct sq_sv payload;
	const char *want; /* each command in brackets */
};

#define CALLED(cmdlet) "CommandInvocation(" cmdlet "): \"" cmdlet "\"\r\n"
#define BOUND(cmdlet, name, value)                                                                 \
	"ParameterBinding(" cmdlet "): name=\"" name "\"; value=\"" value "\"\r\n"

/* clang-format off */
static struct payload_case cases[] = {
	{ "nothing", SQ_SV(""), "" },
	{ "something else", SQ_SV("regsvr32 /s a.dll"), "" },
	{ "a program and its arguments",
	  SQ_SV(CALLED("Start-Process") BOUND("Start-Process", "FilePath", "a.exe") BOUND("Start-Process", "ArgumentList", "/s, b")),
	  "[a.exe /s, b]" },
	{ "the arguments first, and others between",
	  SQ_SV(CALLED("Start-Process") BOUND("Start-Process", "ArgumentList", "/s") BOUND("Start-Process", "Wait", "True")
	        BOUND("Start-Process", "FilePath", "a.exe")),
	  "[a.exe /s]" },
	{ "a program alone", SQ_SV(CALLED("Start-Process") BOUND("Start-Process", "FilePath", "a.exe")), "[a.exe]" },
	{ "what the next one is given is not the arguments of the first",
	  SQ_SV(CALLED("Start-Process") BOUND("Start-Process", "FilePath", "a.exe") CALLED("Write-Output")
	        BOUND("Write-Output", "InputObject", "/s") CALLED("Start-Process") BOUND("Start-Process", "ArgumentList", "b")),
	  "[a.exe][b]" },
	{ "two of them",
	  SQ_SV(CALLED("Start-Process") BOUND("Start-Process", "FilePath", "a") CALLED("Start-Process") BOUND("Start-Process", "FilePath", "b")),
	  "[a][b]" },
	{ "a cmdlet's name in any case", SQ_SV(BOUND("invoke-expression", "command", "x y")), "[x y]" },
	{ "data", SQ_SV(CALLED("Out-Default") BOUND("Out-Default", "InputObject", "x") CALLED("Select-String") BOUND("Select-String", "Pattern", "y")), "" },
	{ "another parameter of a cmdlet that runs commands", SQ_SV(BOUND("Start-Process", "WorkingDirectory", "C:\\x")), "" },
	{ "lines and quotes in a value",
	  SQ_SV(BOUND("Invoke-Expression", "Command", "a \"b\"\r\n\"; value=\"c\n d") CALLED("Get-Random")), "[a \"b\"\r\n\"; value=\"c\n d]" },
	{ "the last line has no end, and the context follows",
	  SQ_SV(BOUND("Invoke-Expression", "Command", "a") "\r\n\r\nContext:\r\n Severity = x"), "[a]" },
	{ "a value that breaks off", SQ_SV("ParameterBinding(Invoke-Expression): name=\"Command\"; value=\"a b"), "[a b]" },
	{ "a binding that breaks off", SQ_SV("ParameterBinding(Invoke-Expression): name=\"Comm"), "" },
	{ "words in another language",
	  SQ_SV("ParameterBinding(Start-Process): Name=\"FilePath\"; Wert=\"a.exe\"\r\n"
	        "ParameterBinding(Start-Process): Name=\"ArgumentList\"; Wert=\"x=\"y\"; z\"\r\n"),
	  "[a.exe x=\"y\"; z]" },
	{ "a binding without a value", SQ_SV("ParameterBinding(Invoke-Expression): name=\"Command\"; value"), "" },
	{ "no value", SQ_SV(BOUND("Invoke-Expression", "Command", "") BOUND("Invoke-Expression", "Command", "a")), "[a]" },
	{ "plus signs at the edges join nothing",
	  SQ_SV(BOUND("Start-Process", "FilePath", "'a' + ") BOUND("Start-Process", "ArgumentList", " +'b'")), "['a' 'b']" },
	{ "a program of its own", SQ_SV("CommandInvocation(net.EXE): net use x\r\n" CALLED("Get-Random")), "[net use x]" },
	{ "a program of its own behind a binding",
	  SQ_SV(BOUND("Start-Process", "FilePath", "a") "CommandInvocation(b.exe): \"b.exe\""), "[a][\"b.exe\"]" },
};
/* clang-format on */

static void check_payload(void **state)
{
	const struct payload_case *tc = *state;
	char *copy = exact(tc->payload.p, tc->payload.n);
	struct sq_sv rest = { copy, tc->payload.n }, command;
	struct sq_arena a;
	char got[512] = "";
	size_t n = 0;

	assert_int_equal(sq_arena_init(&a, 1 << 16), 0);
	while (sq_stored_payload(&a, &rest, &command))
		n += (size_t)snprintf(got + n, sizeof(got) - n, "[%.*s]", SQ_SV_ARG(command));
	assert_string_equal(got, tc->want);
	sq_arena_fini(&a);
	free(copy);
}

int main(void)
{
	return RUN_TABLE("derive/payload", cases, check_payload);
}
