#include "lib/derive/rundll32.h"

#include "lib/derive/library.h"

/* Everything behind the program's name, quotes gone. */
static struct sq_sv rest_of(const struct sq_cmdline *cmd)
{
	const char *end = cmd->joined.p + cmd->joined.n;

	return (struct sq_sv){ cmd->args[0].p, (size_t)(end - cmd->args[0].p) };
}

static struct sq_sv without_comma(struct sq_sv v)
{
	while (v.n && (v.p[0] == ',' || sq_is_space(v.p[0])))
		v = sq_sv_skip(v, 1);
	return v;
}

/* Length of the library's name at the front of `rest`. A quoted name came as one argument; one
 * without quotes ends at its comma, or at the blank behind its extension. */
static size_t library_length(const struct sq_cmdline *cmd, struct sq_sv rest)
{
	size_t comma = sq_sv_chr(cmd->args[0], ',');
	size_t dot;

	if (comma != SIZE_MAX)
		return comma;
	dot = sq_sv_chr(cmd->args[0], '.');
	comma = sq_sv_chr(rest, ',');
	if (dot != SIZE_MAX || comma == SIZE_MAX)
		return cmd->args[0].n;
	return comma;
}

static void add_library(struct sq_process *p, const struct sq_winpath *path)
{
	sq_derive_list(p->ev, SQ_F_D_RD_LIBRARY, path->path);
	sq_derive_list(p->ev, SQ_F_D_RD_LIBRARY_NAME, sq_derive_library_name(path));
	sq_derive_list(p->ev, SQ_F_D_RD_LIBRARY_PLACE, sq_sv_of(sq_place_name(path->place)));
}

void sq_rundll32_derive(struct sq_process *p)
{
	const struct sq_cmdline *cmd = p->cmd;
	struct sq_sv rest, library, entry;
	size_t end;

	if (cmd->n == 0)
		return;
	rest = rest_of(cmd);
	library = sq_sv_trim(sq_sv_first(rest, library_length(cmd, rest)));
	rest = without_comma(sq_sv_skip(rest, library_length(cmd, rest)));
	/* Bare names are those of Windows, of which our list holds only what regsvr32 is given. */
	sq_library_read(p, library, NULL, add_library);
	for (end = 0; end < rest.n && !sq_is_space(rest.p[end]); end++)
		;
	entry = sq_sv_first(rest, end);
	sq_derive_list(p->ev, SQ_F_D_RD_ENTRY, entry);
	sq_derive_list(p->ev, SQ_F_D_RD_ARGUMENT, sq_sv_trim(sq_sv_skip(rest, end)));
}
