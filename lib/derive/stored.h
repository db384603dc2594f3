/* What is stored for later, brought into the form of a command line: a task's XML, a script.
 *
 * Pure; works on raw text, before it is folded. Memory from the arena, linear in the text.
 */
#pragma once

#include "lib/base/arena.h"

/**
 * The texts of a task's XML in one line, a blank for each tag. Of each action the command comes
 * first, as it does when the task runs, and a '|' stands before and behind the action. CDATA is
 * text, comments are nothing.
 *
 * @return in the arena; `xml` itself when that was full
 */
struct sq_sv sq_stored_task(struct sq_arena *arena, struct sq_sv xml);

/**
 * The next action of a task's XML: its command, a blank, and its other texts. `*xml` is moved past
 * it. `*ret` lies in the arena.
 *
 * @return false when there is none any more, or the arena was full
 */
bool sq_stored_action(struct sq_arena *arena, struct sq_sv *xml, struct sq_sv *ret);

/**
 * A PowerShell script with a '|' in place of each line end that ends a command. One within quotes,
 * round or square brackets or a hash table does not, nor one behind a backtick, a caret or an
 * operator: those stay.
 *
 * @return in the arena, as long as `script`; `script` itself when there is nothing to do or the
 *         arena was full
 */
struct sq_sv sq_stored_script(struct sq_arena *arena, struct sq_sv script);

/**
 * The next command that the payload of PowerShell's event 4103 tells to have been given to a cmdlet
 * which runs it or keeps it for later (Start-Process, Invoke-Expression, New-ScheduledTaskAction
 * ...). What other cmdlets were given is data.
 *
 * @param rest  what is left of the payload
 * @return false: no more, or the arena was full
 */
bool sq_stored_payload(struct sq_arena *arena, struct sq_sv *rest, struct sq_sv *ret);
