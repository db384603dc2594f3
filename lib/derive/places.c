#include "lib/derive/places.h"

static bool begins_path(struct sq_sv v)
{
	if (v.n < 2)
		return false;
	if (v.n > 2 && v.p[1] == ':' && v.p[0] >= 'a' && v.p[0] <= 'z')
		return true;
	return v.p[0] == '\\' || v.p[0] == '%' || sq_sv_starts(v, SQ_SV("..")) ||
	       sq_sv_starts(v, SQ_SV(".\\")) || sq_sv_starts(v, SQ_SV("//"));
}

/* The path in an argument: all of it, or what a switch is given ("/logfile=c:\x", "-i:c:\x",
 * "/icimage c:\x" without its blank), with the braces and quotes of others around it. */
static struct sq_sv path_in(struct sq_sv v)
{
	while (v.n && memchr("{('\"=@", v.p[0], 6))
		v = sq_sv_skip(v, 1);
	while (v.n && memchr("})'\";,", v.p[v.n - 1], 6))
		v.n--;
	if (v.n && (v.p[0] == '-' || (v.p[0] == '/' && !begins_path(v)))) {
		size_t at = 1;

		while (at < v.n && v.p[at] != ':' && v.p[at] != '=')
			at++;
		v = sq_sv_skip(v, at + 1);
	}
	return v;
}

static bool is_url(struct sq_sv v)
{
	return sq_sv_find(v, SQ_SV("://")) != SIZE_MAX && sq_sv_chr(v, ':') > 1;
}

static bool is_file_name(struct sq_sv v)
{
	size_t dot = v.n;

	while (dot && v.p[dot - 1] != '.' && v.n - dot < 5)
		dot--;
	return dot > 1 && dot < v.n && v.p[dot - 1] == '.' && !sq_is_digit(v.p[dot]);
}

void sq_places_derive(struct sq_process *p)
{
	for (uint32_t i = 0; i < p->cmd->n; i++) {
		struct sq_sv v = path_in(p->cmd->args[i]);
		struct sq_winpath path;

		if (!begins_path(v) && !is_url(v) && sq_sv_chr(v, '\\') == SIZE_MAX &&
		    !is_file_name(v))
			continue;
		if (!sq_winpath_fold(p->arena, v, &path))
			p->ev->flags |= SQ_EVENT_OVERFLOW;
		sq_derive_list(p->ev, SQ_F_D_ARGUMENT_PLACE, sq_sv_of(sq_place_name(path.place)));
	}
}
