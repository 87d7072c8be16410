#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# uml-simd.sh SOURCE: let ARCH=um of Linux 6.1 build arch/x86/crypto (AES-NI,
# PCLMUL, AVX, AVX2, AVX-512), so that UML encrypts at the machine's real speed.
#
# Every edit is checked: a source that it does not fit is an error, not a
# slower kernel. The file is part of the key of the kernel cache.
set -euo pipefail

cd "${1:?usage: uml-simd.sh SOURCE}"

die() {
	echo "uml-simd.sh: $*" >&2
	exit 1
}

# edit FILE PATTERN SED-SCRIPT...: PATTERN must be absent before and present after
edit() {
	local file=$1 pattern=$2
	shift 2
	! grep -qP -- "$pattern" "$file" || die "$file is already edited"
	sed -i "$@" "$file"
	grep -qP -- "$pattern" "$file" || die "$file has changed, the edit does not fit"
}

# The symbols, and the probes that tell what the assembler knows.
edit crypto/Kconfig '^if X86 [|][|] UML_X86$' 's/^if X86$/if X86 || UML_X86/'
edit arch/x86/crypto/Kconfig '^\tdepends on \(X86 [|][|] UML_X86\)$' \
	's/depends on X86\>/depends on (X86 || UML_X86)/'
edit arch/x86/um/Kconfig 'Kconfig[.]assembler' \
	'0,/^config UML_X86/s//source "arch\/x86\/Kconfig.assembler"\n\n&/'

# SIMD registers may be used in every context: a UML kernel is one host thread,
# and the host saves the vector state in each signal frame.
[ ! -e arch/um/include/asm/simd.h ] || die "arch/um has a simd.h of its own"
cat >arch/um/include/asm/simd.h <<'H'
/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_UM_SIMD_H
#define _ASM_UM_SIMD_H

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

static __must_check inline bool may_use_simd(void)
{
	return irq_fpu_usable();
}

#endif /* _ASM_UM_SIMD_H */
H

# What the glue code asks about the CPU. A feature in the host's /proc/cpuinfo is
# one whose register state the host has switched on.
edit arch/um/include/asm/fpu/api.h 'cpu_has_xfeatures' \
	'/^static inline bool irq_fpu_usable/i \
#define XFEATURE_MASK_SSE	(1 << 1)\
#define XFEATURE_MASK_YMM	(1 << 2)\
#define XFEATURE_MASK_AVX512	(7 << 5)\
\
static inline int cpu_has_xfeatures(unsigned long long features, const char **name)\
{\
	return 1;\
}\
'
edit arch/um/include/asm/processor-generic.h 'x86_model' \
	's/^\tint cache_alignment;/&\n\t__u8 x86_model;/'
! grep -q x86_match_cpu arch/um/kernel/um_arch.c || die "um_arch.c has x86_match_cpu"
cat >>arch/um/kernel/um_arch.c <<'C'

#include <asm/cpu_device_id.h>

/* Models are not told apart under UML: only the feature bit counts. */
const struct x86_cpu_id *x86_match_cpu(const struct x86_cpu_id *match)
{
	const struct x86_cpu_id *m = match;

	while (m->flags & X86_CPU_ID_FLAG_ENTRY_VALID) {
		if (m->feature == X86_FEATURE_ANY || cpu_has(&boot_cpu_data, m->feature))
			return m;
		m++;
	}
	return NULL;
}
EXPORT_SYMBOL(x86_match_cpu);
C

# A lockdep report of UML itself (6.1): force_flush_all() walks the VMAs unlocked.
edit arch/um/kernel/tlb.c '^\tmmap_read_lock\(mm\);$' \
	-e '/^void force_flush_all/,/^}/{
		s/^\tfor_each_vma/\tmmap_read_lock(mm);\n&/
		s/^\t\tfix_range.*/&\n\tmmap_read_unlock(mm);/
	}'
