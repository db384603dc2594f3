#include "lib/derive/library.h"

/* Directories of one event that are read each by itself. */
enum { FOLDERS_MAX = 4 };

static bool is_joined(const struct sq_process *p, const struct sq_winpath *path, sq_bare_fn *bare,
                      struct sq_sv folder, struct sq_winpath *ret)
{
	return sq_winpath_join(p->arena, folder, path, ret) &&
	       (path->place != SQ_PLACE_BARE || bare(p, ret));
}

/* From a folder that is not told: with enough ".." each leads to the root, so that what follows
 * them says where everybody may write. A folder that only administrators write is not taken from
 * it. */
static bool is_open_from_root(const struct sq_process *p, const struct sq_winpath *path,
                              struct sq_winpath *ret)
{
	return path->place == SQ_PLACE_RELATIVE &&
	       sq_winpath_join(p->arena, SQ_SV("c:\\"), path, ret) &&
	       ret->place == SQ_PLACE_USER_WRITABLE;
}

void sq_library_read(struct sq_process *p, struct sq_sv token, sq_bare_fn *bare, sq_library_fn *add)
{
	const struct sq_value *v = &p->ev->values[SQ_F_CURRENT_DIRECTORY];
	struct sq_winpath path, joined;
	bool found = false;

	if (!sq_winpath_fold(p->arena, token, &path))
		p->ev->flags |= SQ_EVENT_OVERFLOW;
	if (!sq_winpath_is_relative(&path) ||
	    (path.place == SQ_PLACE_BARE && (!bare || !path.extension.n))) {
		add(p, &path);
		return;
	}
	p->ev->derived |= SQ_DERIVED_BY_FOLDER;
	for (int i = 0; v && i < FOLDERS_MAX; v = sq_event_next(p->ev, v), i++) {
		if (v->kind < SQ_VALUE_TEXT || v->n == 0 ||
		    !is_joined(p, &path, bare, sq_value_sv(v), &joined))
			continue;
		add(p, &joined);
		found = true;
	}
	if (!found)
		add(p, is_open_from_root(p, &path, &joined) ? &joined : &path);
}
