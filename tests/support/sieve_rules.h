/* Rules that ask for all kinds of things, for the tests of the sieve. */
#pragma once

#include <stdio.h>

#include "lib/rules/sigma.h"

static const char *const sieve_sources[] = {
	"category: process_creation", "definition: all",     "service: security",
	"category: registry_set",     "category: ps_script", "service: sysmon",
	"category: ps_module",
};

/* One selection each, in YAML's flow style, or behind @ a whole detection. These say enough to
 * leave most records out. */
static const char *const sieve_selections[] = {
	"{ CommandLine|contains: 'regsvr32' }",
	"{ CommandLine|contains: '.sct scrobj' }",
	"{ CommandLine|contains: 'http:' }",
	"{ CommandLine|contains: '>script:' }",
	"{ squibly.command_line|contains: ' script:' }",
	"@{ a: { CommandLine|contains: ['mshta', 'scrobj'] }, b: { Image|contains: 'exe' }, "
	"condition: a and not b }",
	"@{ a: { CommandLine|contains: scrobj }, b: { CommandLine|contains: http }, "
	"condition: a and not b }",
	"@{ a: { CommandLine|contains: regsvr32 }, b: { CommandLine|contains: javascript }, "
	"c: { User: x }, condition: (a or b) and not c }",
	"@{ a: { CommandLine|contains: regsvr32 }, b: { CommandLine|contains: http }, "
	"condition: not (not a or b) }",
	"@{ a: { squibly.program: [regsvr32.exe, mshta.exe] }, b: { squibly.argument: '/s' }, "
	"condition: a and (b or not b) }",
	"{ CommandLine|contains: 'scrobj.dll' }",
	"{ CommandLine|contains: '/i:http' }",
	"{ CommandLine|endswith: 'scrobj.dll' }",
	"{ CommandLine: 'regsvr32*scrobj?dll' }",
	"{ CommandLine|re: 'regsvr(32|64)' }",
	"{ CommandLine|re: '(?i)scrobj(\\.dll)?$' }",
	"{ CommandLine|re: 'reg(svr32|ister)|scrobj' }",
	"{ CommandLine|re|i: '\\\\(downloads|temp)\\\\' }",
	"{ CommandLine|cased|contains: 'Regsvr32' }",
	"{ CommandLine|contains|all: ['regsvr32', 'http'] }",
	"{ CommandLine|contains: ['mshta', 'scrobj'] }",
	"{ Image|endswith: '\\regsvr32.exe' }",
	"{ Image: 'C:\\Windows\\System32\\regsvr32.exe' }",
	"{ ParentImage|endswith: ['\\cmd.exe', '\\winword.exe'] }",
	"{ OriginalFileName: 'REGSVR32.EXE' }",
	"{ Description: 'Microsoft(C) Register Server' }",
	"{ Hashes|contains: 'IMPHASH=0235FF9A007804882636BCCCFB4D1A2F' }",
	"{ User|contains: 'EXAMPLE' }",
	"{ User: 'CORP\\alice' }",
	"{ RandomNumber: 4720 }",
	"['scrobj.dll']",
	"{ squibly.program: regsvr32.exe }",
	"{ squibly.program: [cmd.exe, mshta.exe, rundll32.exe] }",
	"{ squibly.program|contains: svr32 }",
	"{ squibly.image_name: regsvr32.exe }",
	"{ squibly.image: 'c:\\windows\\system32\\regsvr32.exe' }",
	"{ squibly.parent_name: [winword.exe, cmd.exe] }",
	"{ squibly.command_line|contains: 'scrobj.dll' }",
	"{ squibly.command_line|re: 'regsvr32(\\.exe)? ' }",
	"{ squibly.argument: scrobj.dll }",
	"{ squibly.argument|re: '^[-/]i:http' }",
	"{ squibly.argument|startswith: '/i:http' }",
	"{ squibly.regsvr32.scrobj: 'true' }",
	"{ squibly.regsvr32.library: 'c:\\windows\\system32\\scrobj.dll' }",
	"{ squibly.regsvr32.library_name: scrobj }",
	"{ squibly.regsvr32.install_class: [url, unc, webdav] }",
	"{ squibly.regsvr32.install|contains: 'example' }",
	"{ squibly.regsvr32.shape: 'true' }",
	"{ squibly.regsvr32.weak_shape: 'true' }",
	"{ squibly.regsvr32.lawful: 'false' }",
	"{ squibly.launch.carries|exists: true }",
	"{ squibly.launch.carries: [regsvr32_url, variable, caret_name] }",
	"{ squibly.launch.command|contains: regsvr32 }",
	"{ squibly.encoded.carries|exists: true }",
	"{ squibly.encoded.command|contains: regsvr32 }",
	"{ squibly.stored.command|contains: regsvr32 }",
	"{ squibly.stored.command|re: '(regsvr32|mshta)[^|]*(script:|http)' }",
	"{ squibly.rundll32.library_name: [scrobj, advpack] }",
	"{ squibly.rundll32.entry: launchinfsection }",
	"{ ScriptBlockText|contains: 'regsvr32' }",
	"{ Details|contains: 'scrobj' }",
	"{ TargetObject|contains: 'InprocServer32' }",
};

/* These say less. */
static const char *const sieve_weak_selections[] = {
	"{ CommandLine|contains|windash: ' -s ' }",
	"{ CommandLine|re: '[a-z]+svr32' }",
	"{ Image|contains: 'System32' }",
	"{ Hashes|contains: 'IMPHASH' }",
	"{ IntegrityLevel: 'Medium' }",
	"{ EventID: 4688 }",
	"{ EventID: [4688, 1] }",
	"{ EventID: '4688' }",
	"{ EventID: 1 }",
	"{ EventID|gte: 4000 }",
	"{ ProcessId: 4720 }",
	"{ ProcessId: '4720' }",
	"{ LogonId: '0x3e7' }",
	"{ RandomNumber: 1000 }",
	"{ Channel: 'Security' }",
	"{ squibly.image|contains: 'system32' }",
	"{ squibly.trick|exists: true }",
	"{ squibly.renamed: 'true' }",
	"{ squibly.moved: 'true' }",
	"{ MissingField: null }",
	"{ CommandLine|exists: true }",
	"{ CommandLine|wide|base64offset|contains: 'regsvr32' }",
	"{ CommandLine|base64offset|contains: 'regsvr32' }",
};

/* Of all log sources: the events are told by their ids alone. */
static const char *const sieve_id_selections[] = {
	"{ EventID: 4688, squibly.command_line|contains: 'scrobj.dll' }",
	"{ EventID: [1, 4688], squibly.regsvr32.shape: 'true' }",
	"{ EventID: '1', squibly.launch.carries|exists: true }",
	"{ EventID: 4104, squibly.launch.command|contains: regsvr32 }",
	"{ EventID: 4103, squibly.launch.command|contains: regsvr32 }",
	"{ EventID: 13, Details|contains: 'scrobj' }",
	"{ EventID: [13, 4698, 7045], squibly.stored.command|contains: regsvr32 }",
	"{ EventID: 7, CommandLine|contains: 'regsvr32' }",
	"@{ a: { squibly.program: regsvr32.exe }, b: { EventID: 4657 }, c: { EventID: 13 }, "
	"condition: a and (b or c) }",
	"@{ a: { squibly.argument: scrobj.dll }, b: { EventID: 4104 }, "
	"condition: not (not a or not b) }",
	"@{ a: { squibly.program: mshta.exe }, b: { EventID: 4688 }, c: { EventID: 1 }, "
	"condition: a and not (not b and not c) }",
};

/** Add the rules of one log source. @return how many, or 0: one is wrong */
static inline size_t sieve_add_rules(struct sq_rules *rules, const char *source,
                                     const char *const *selections, size_t n)
{
	struct sq_diags diags = { 0 };
	char text[2048];
	size_t added = 0;

	for (size_t i = 0; i < n; i++) {
		bool whole = selections[i][0] == '@';

		(void)snprintf(text, sizeof(text),
		               "title: Rule\nlogsource: { product: windows, %s }\nlevel: low\n"
		               "detection: %s%s%s\n",
		               source, whole ? "" : "{ sel: ", selections[i] + whole,
		               whole ? "" : ", condition: sel }");
		if (sq_sigma_parse(rules, sq_sv_of(text), selections[i], &diags) != 1) {
			fprintf(stderr, "%s: %s\n", selections[i],
			        diags.n ? diags.list[diags.n - 1].text : "?");
			added = 0;
			break;
		}
		added++;
	}
	sq_diags_fini(&diags);
	return added;
}
