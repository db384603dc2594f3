#include "lib/derive/derive.h"

void sq_derive(struct sq_event *ev, struct sq_arena *a)
{
	(void)ev;
	(void)a;
}
