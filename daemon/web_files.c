// SPDX-License-Identifier: GPL-2.0
/* The page, as it lies in daemon/web/: no build step, nothing is fetched from elsewhere. */
#include "web.h"

#define INCLUDE(name, file) \
	__asm__(".section .rodata\n" \
		".global web_" #name ", web_" #name "_end\n" \
		"web_" #name ": .incbin \"daemon/web/" file "\"\n" \
		"web_" #name "_end: .byte 0\n" \
		".previous\n"); \
	extern const char web_##name[], web_##name##_end[]

INCLUDE(page, "index.html");
INCLUDE(script, "app.js");
INCLUDE(style, "style.css");
INCLUDE(icon, "icon.svg");

const struct web_file web_files[] = {
	{ "/", "text/html; charset=utf-8", web_page, web_page_end },
	{ "/app.js", "text/javascript; charset=utf-8", web_script, web_script_end },
	{ "/style.css", "text/css; charset=utf-8", web_style, web_style_end },
	{ "/icon.svg", "image/svg+xml", web_icon, web_icon_end },
	{ .path = NULL }
};
