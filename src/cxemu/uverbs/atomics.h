/* SPDX-License-Identifier: BSD-2-Clause */
/* C11 atomic types for headers that C++17 tests include, too; there they are std::atomic, of the
 * same size. */
#ifndef CXEMU_UVERBS_ATOMICS_H
#define CXEMU_UVERBS_ATOMICS_H

#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
using std::atomic_uint;
using std::atomic_ullong;
#else
#include <stdatomic.h>
#endif

#endif
