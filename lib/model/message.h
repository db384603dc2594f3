/* Fields out of the rendered text of an event, where the record has them nowhere else.
 *
 * Private to lib/model. English texts only: Windows translates the labels of 4688; Sysmon's are
 * never translated.
 */
#pragma once

#include "lib/model/collect.h"

void sq_message_security_4688(struct sq_collect *c);
/** 4689 and the other Security events that name a process. */
void sq_message_security_process(struct sq_collect *c);
/** Process creation, whose command lines may hold line ends and labels themselves. */
void sq_message_sysmon_1(struct sq_collect *c);
/** Any other Sysmon event: lines "Name: value". */
void sq_message_sysmon(struct sq_collect *c);
/** Any Sysmon event: ProcessId alone, which NXLog CE loses. */
void sq_message_process_id(struct sq_collect *c);
/** PowerShell's own events: HostApplication, the command line of the process that runs it, and of
 * 4103 the payload. They stand in a text with labels: of data without names, in ContextInfo, or in
 * the rendered message. */
void sq_message_powershell(struct sq_collect *c);
