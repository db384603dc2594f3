/* Is AddressSanitizer there? Then memory is to be its own, so that it sees what is done with it. */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SQ_ASAN 1
#endif
#endif
