/* SPDX-License-Identifier: GPL-2.0 */
/* A sound message of each type with everything optional in it; also the fuzzers' seeds. The caller frees them. */
#ifndef SUPPORT_SAMPLE_H
#define SUPPORT_SAMPLE_H

#include "msg.h"
#include "provision_msg.h"

struct msg sample_msg(enum msg_type type);
struct provision_msg sample_provision_msg(enum provision_type type);

#endif /* SUPPORT_SAMPLE_H */
