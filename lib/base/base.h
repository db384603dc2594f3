/* What every file of this program may assume of the compiler: attributes, array lengths, asserts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQ_MUST_CHECK                 __attribute__((warn_unused_result))
#define SQ_PRINTF(f, a)               __attribute__((format(printf, f, a)))
#define SQ_NORETURN                   __attribute__((noreturn))
#define SQ_UNUSED                     __attribute__((unused))
#define SQ_LIKELY(x)                  __builtin_expect(!!(x), 1)
#define SQ_UNLIKELY(x)                __builtin_expect(!!(x), 0)
#define SQ_LEN(array)                 (sizeof(array) / sizeof((array)[0]))
#define SQ_CONTAINER(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/** Print place and expression to standard error and abort: systemd restarts us, the journal keeps
 *  the core. The one thing in lib/ that writes anywhere; it runs once, on the way out. */
void sq_assert_failed(const char *expr, const char *file, int line) SQ_NORETURN;

/** For what only our own mistake can break. Stays on in release builds; never for input. */
#define sq_assert(expr) (SQ_LIKELY(expr) ? (void)0 : sq_assert_failed(#expr, __FILE__, __LINE__))

/** The same for inner loops: in developer builds only. */
#ifdef SQ_DEVELOPER
#define sq_dassert(expr) sq_assert(expr)
#else
#define sq_dassert(expr) ((void)sizeof(expr))
#endif
