// SPDX-License-Identifier: GPL-2.0
/*
 * Draws what /api/*.json say. Whatever came from a node reaches the page as text and as nothing else: there is no
 * innerHTML here. No answer is a bad answer.
 */
"use strict";

const REFRESH_MS = 5000;
const DRAWN_NODES = 160;	/* beyond it a circle says nothing */
const MESH_NODES = 24;		/* members between which every pair is drawn */
const SHOWN_EVENTS = 100;
const SVG = "http://www.w3.org/2000/svg";
const SEVERITIES = ["alert", "warning", "info"];
const view = { atr: null, severities: new Set(SEVERITIES), filter: "", paused: false, data: null };

const byId = (id) => document.getElementById(id);

/* An element with attributes and children; strings become text. */
function make(name, attributes, ...children) {
	const e = document.createElement(name);

	for (const [k, v] of Object.entries(attributes || {}))
		e.setAttribute(k, v);
	e.append(...children.filter((c) => c !== null && c !== undefined));
	return e;
}

function draw(name, attributes, ...children) {
	const e = document.createElementNS(SVG, name);

	for (const [k, v] of Object.entries(attributes || {}))
		e.setAttribute(k, v);
	e.append(...children);
	return e;
}

const list = (v) => (Array.isArray(v) ? v : []);
const text = (v) => (v === null || v === undefined || v === "" ? "–" : String(v));

function clock(t) {
	const d = new Date(t);

	if (!t || Number.isNaN(d.getTime()))
		return "–";
	return d.toISOString().slice(0, 19).replace("T", " ");
}

function ago(t) {
	const s = Math.max(0, Math.round((Date.now() - new Date(t).getTime()) / 1000));

	if (!t || Number.isNaN(s))
		return "–";
	if (s < 90)
		return `${s} s ago`;
	if (s < 5400)
		return `${Math.round(s / 60)} min ago`;
	return s < 129600 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} d ago`;
}

function tag(word) {
	const kinds = {
		up: "good", stable: "good", current: "good", provisioned: "good", ok: "good", down: "alert", absent: "alert",
		alert: "alert", behind: "warning", preparing: "warning", activating: "warning", retiring: "warning",
		warning: "warning", info: "info",
	};

	return make("span", { class: `tag ${Object.hasOwn(kinds, word) ? kinds[word] : ""}` }, text(word));
}

function fill(id, rows, columns, none) {
	if (!rows.length)
		rows = [make("tr", { class: "none" }, make("td", { colspan: columns }, none))];
	byId(id).querySelector("tbody").replaceChildren(...rows);
}

/* ---- verdict and findings ---- */

function showVerdict(state, words) {
	const v = byId("verdict");

	v.className = `verdict ${["healthy", "warning", "alert"].includes(state) ? state : "unknown"}`;
	if (v.textContent !== words)
		v.textContent = words;
}

function count(n, what) {
	return n ? `, ${n} ${what}${n === 1 ? "" : "s"}` : "";
}

function showHealth(status) {
	const h = status.health || {};
	const findings = list(h.findings);

	showVerdict(h.state, h.state === "healthy" ? "Healthy" :
		    `Not healthy${count(h.alerts, "alert")}${count(h.warnings, "warning")}`);
	byId("findings").hidden = !findings.length;
	byId("findings-list").replaceChildren(...findings.map((f) => make("li", { class: `finding ${f.severity === "alert" ? "alert" : ""}` },
		tag(f.severity), " ", f.subject ? make("strong", {}, `${f.subject}:`) : null, text(f.text),
		f.since ? make("span", {}, `, since ${clock(f.since)} (${ago(f.since)})`) : null,
		make("span", { class: "remedy" }, text(f.remedy)))));
}

/* ---- numbers ---- */

function tile(name, value, rest, state) {
	return make("div", { class: `tile ${state || ""}` }, make("dt", {}, name),
		    make("dd", {}, String(value), make("small", {}, rest ? ` ${rest}` : "")));
}

function showTiles(status, nodes) {
	const n = status.nodes || { up: 0, total: 0 };
	const atrs = list(status.atrs);
	const stable = atrs.filter((a) => a.state === "stable" || a.state === undefined).length;
	const tpm = status.tpm || {};
	const peer = status.peer;
	const alerts = list(((status.health || {}).findings)).filter((f) => f.check === "alert").length;

	byId("tiles").replaceChildren(
		tile(status.role === "root" ? "managers up" : "nodes up", n.up, `of ${n.total}`, n.up < n.total ? "warning" : ""),
		tile("ATRs stable", stable, `of ${atrs.length}`, stable < atrs.length ? "warning" : ""),
		tile("kinds of alerts to look at", alerts, "", alerts ? "alert" : ""),
		tile("TPM", text(tpm.state), `${text(tpm.commands)} commands`, tpm.state === "ok" ? "" : "alert"),
		peer ? tile(`link to ${text(peer.name || "root")}`, text(peer.state), "", peer.state === "up" ? "" : "warning") :
			tile("nodes known", nodes.filter((x) => x.role === "node").length, ""));
	byId("who").textContent = `${text(status.name)} (${text(status.role)})`;
	document.title = `${text(status.name)} – AKM`;
	byId("self").textContent = `akmd ${text(status.version)}, term ${text(status.term)}`;
}

/* ---- topology ---- */

function atrClass(status, id) {
	return `atr${Math.max(0, list(status.atrs).findIndex((a) => a.id === id)) % 8}`;
}

function memberNames(a) {
	return list(a.members).map((m) => (Array.isArray(m) ? m[1] : m.node)).filter((m) => typeof m === "string");
}

function showLegend(status) {
	byId("legend").replaceChildren(...list(status.atrs).slice(0, 24).map((a) => {
		const b = make("button", { type: "button", "aria-pressed": String(view.atr === a.id) },
			       make("span", { class: `swatch ${atrClass(status, a.id)}` }), `#${a.id} ${text(a.label)}`);

		b.addEventListener("click", () => {
			view.atr = view.atr === a.id ? null : a.id;
			show();
		});
		return b;
	}));
}

/* Each node at its place on a circle around us */
function places(nodes, size) {
	const r = size * 0.36;
	const at = new Map();

	nodes.forEach((n, i) => {
		const angle = (2 * Math.PI * i) / nodes.length - Math.PI / 2 + (nodes.length % 2 ? 0 : Math.PI / nodes.length);

		at.set(n.name, { x: size / 2 + r * 1.12 * Math.cos(angle), y: size / 2 + 14 + r * Math.sin(angle), angle });
	});
	return at;
}

function meshPaths(status, at) {
	const paths = [];

	for (const a of list(status.atrs)) {
		const members = memberNames(a).map((m) => at.get(m)).filter(Boolean);
		const state = view.atr === null ? "" : view.atr === a.id ? "chosen" : "dim";
		let d = "";

		if (members.length <= MESH_NODES)
			members.forEach((p, i) => members.slice(i + 1).forEach((q) => { d += `M${p.x} ${p.y}L${q.x} ${q.y}`; }));
		else
			d = members.map((p, i) => `${i ? "L" : "M"}${p.x} ${p.y}`).join("") + "Z";
		paths.push(draw("path", { class: `mesh ${state} ${atrClass(status, a.id)}`, d }));
	}
	return paths;
}

function drawNode(status, n, p, few) {
	const up = n.link === "up" ? "" : "down";
	const g = draw("g", {}, draw("title", {}, `${n.name}: ${n.link || n.state}`),
		       draw("circle", { class: `dot ${n.state === "evicted" ? "evicted" : up}`, cx: p.x, cy: p.y, r: few ? 11 : 5 }));
	const below = Math.sin(p.angle) > -0.35;

	if (!few)
		return g;
	g.append(draw("text", { x: p.x, y: p.y + (below ? 27 : -18), "text-anchor": "middle" },
		      n.name.length > 18 ? `${n.name.slice(0, 17)}…` : n.name));
	list(n.atrs).slice(0, 6).forEach((id, i, all) => g.append(draw("circle", {
		class: `pip ${atrClass(status, id)}`, cx: p.x + (i - (all.length - 1) / 2) * 6, cy: p.y, r: 2.6 })));
	return g;
}

function drawBox(x, y, name, role) {
	const w = Math.max(84, Math.min(150, name.length * 8 + 20));

	return draw("g", {}, draw("rect", { class: "box", x: x - w / 2, y: y - 19, width: w, height: 38, rx: 8 }),
		    draw("text", { x, y: y - 2, "text-anchor": "middle" }, name.length > 18 ? `${name.slice(0, 17)}…` : name),
		    draw("text", { class: "soft", x, y: y + 12, "text-anchor": "middle" }, role));
}

function showTopology(status, nodes) {
	const size = 440, middle = { x: size / 2, y: size / 2 + 14 };
	const below = nodes.filter((n) => n.state !== "evicted" && (status.role !== "root" || n.role === "manager"));
	const drawn = below.slice(0, DRAWN_NODES);
	const at = places(drawn, size);
	const up = status.peer;
	const svg = draw("svg", { viewBox: `0 ${up ? -34 : 0} ${size} ${size + (up ? 50 : 26)}`, role: "img",
				  "aria-label": `${text(status.name)} with ${below.length} below it, ${
					  below.filter((n) => n.link === "up").length} of them up` });

	if (up) {
		svg.append(draw("line", { class: `link ${up.state === "up" ? "" : "down"}`, x1: 62, y1: -10, x2: middle.x, y2: middle.y }),
			   drawBox(62, -12, text(up.name || "root"), "root"));
	}
	for (const n of drawn) {
		const p = at.get(n.name);

		svg.append(draw("line", { class: `link ${n.link === "up" ? "" : "down"}`, x1: p.x, y1: p.y, x2: middle.x, y2: middle.y }));
	}
	svg.append(...meshPaths(status, at));
	svg.append(drawBox(middle.x, middle.y, text(status.name), text(status.role)));
	for (const n of drawn)
		svg.append(drawNode(status, n, at.get(n.name), drawn.length <= 40));
	if (below.length > drawn.length)
		svg.append(draw("text", { class: "soft", x: 4, y: size + 12 }, `and ${below.length - drawn.length} more`));
	byId("topology").replaceChildren(svg);
}

/* ---- evidence ---- */

function showSeverities(events) {
	byId("severities").replaceChildren(...SEVERITIES.map((s) => {
		const b = make("button", { type: "button", "aria-pressed": String(view.severities.has(s)) }, tag(s),
			       String(events.filter((e) => e.severity === s).length));

		b.addEventListener("click", () => {
			if (!view.severities.delete(s))
				view.severities.add(s);
			show();
		});
		return b;
	}));
}

/* How much came when: a row for each severity, over the time that the records span */
function showTimeline(events) {
	const w = 640, row = 17, left = 58;
	const times = events.map((e) => new Date(e.time).getTime()).filter((t) => !Number.isNaN(t));
	const end = Date.now(), from = Math.min(end - 3600000, ...times);
	const x = (t) => left + ((w - left - 8) * (t - from)) / (end - from);
	const svg = draw("svg", { viewBox: `0 0 ${w} ${SEVERITIES.length * row + 20}`, role: "img",
				  "aria-label": `${events.length} records since ${clock(from)}` });

	SEVERITIES.forEach((s, i) => {
		const y = i * row + row / 2 + 1;

		svg.append(draw("line", { class: "axis", x1: left, y1: y, x2: w - 8, y2: y }),
			   draw("text", { class: "soft", x: 0, y: y + 4 }, s));
		for (const e of events.filter((v) => v.severity === s && view.severities.has(s))) {
			const t = new Date(e.time).getTime();

			if (!Number.isNaN(t))
				svg.append(draw("circle", { class: s, cx: x(Math.min(t, end)).toFixed(1), cy: y, r: 3.6, "fill-opacity": 0.65 },
						draw("title", {}, `${clock(e.time)} ${e.source} ${e.kind}: ${e.text}`)));
		}
	});
	svg.append(draw("text", { class: "soft", x: left, y: SEVERITIES.length * row + 14 }, clock(from)),
		   draw("text", { class: "soft", x: w - 8, y: SEVERITIES.length * row + 14, "text-anchor": "end" }, "now"));
	byId("timeline").replaceChildren(svg);
}

function showEvents(events) {
	const shown = events.filter((e) => view.severities.has(e.severity)).slice(-SHOWN_EVENTS).reverse();

	showSeverities(events);
	showTimeline(events);
	fill("events", shown.map((e) => make("tr", {}, make("td", { class: "time" }, clock(e.time)), make("td", {}, tag(e.severity)),
		make("td", {}, text(e.source)), make("td", {}, text(e.kind)), make("td", { class: "wide" }, text(e.text)))),
	     5, "Nothing has happened.");
}

/* ---- ATRs and nodes ---- */

function membersCell(a) {
	const members = list(a.members).filter((m) => !Array.isArray(m));
	const current = members.filter((m) => m.state === "current").length;

	if (!members.length)
		return make("td", {}, String(list(a.members).length || text(a.members)));
	return make("td", {}, make("details", { "data-atr": String(a.id) }, make("summary", {},
		make("meter", { class: "bar", min: 0, max: members.length, value: current, low: members.length, "aria-label": "current members" }),
		`${current} of ${members.length} current`),
		make("ul", {}, ...members.map((m) => make("li", {}, `${text(m.node)} `, tag(m.state),
			` ${list(m.addresses).join(", ")}${m.failure ? ` – ${m.failure}` : ""}`)))));
}

function showAtrs(status) {
	const open = new Set([...document.querySelectorAll("#atrs details[open]")].map((d) => d.dataset.atr));

	fill("atrs", list(status.atrs).map((a) => make("tr", {},
		make("th", { scope: "row" }, make("span", { class: `swatch ${atrClass(status, a.id)}` }), ` #${a.id} ${text(a.label)}`),
		make("td", {}, a.state ? tag(a.state) : "–"), make("td", { class: "n" }, text(a.generation)),
		make("td", { class: "time" }, clock(a.since)), membersCell(a), make("td", {}, text(a.suite)),
		make("td", {}, [a.subnet4, a.subnet6].filter(Boolean).join(", ") || "–"))), 7, "No ATR yet: akmctl atr create");
	for (const d of document.querySelectorAll("#atrs details"))
		d.open = open.has(d.dataset.atr);
}

function showNodes(nodes) {
	const want = view.filter.toLowerCase();
	const shown = nodes.filter((n) => `${n.name} ${n.link} ${n.state} ${n.endpoint}`.toLowerCase().includes(want));

	byId("filtered").textContent = want ? `${shown.length} of ${nodes.length}` : "";
	fill("nodes", shown.map((n) => make("tr", {}, make("th", { scope: "row" }, text(n.name)), make("td", {}, n.link ? tag(n.link) : "–"),
		make("td", { class: "time" }, n.last_seen ? ago(n.last_seen) : "–"),
		make("td", {}, n.role && n.role !== "node" ? `${n.role}, ` : "", text(n.state)), make("td", {}, text(n.endpoint)),
		make("td", {}, list(n.atrs).map((id) => `#${id}`).join(" ") || "–"))), 6, want ? "None matches." : "No node yet: akmctl node provision");
}

/* ---- asking ---- */

function show() {
	const { status, nodes, events } = view.data || {};

	if (!status)
		return;
	showHealth(status);
	showTiles(status, nodes);
	showLegend(status);
	showTopology(status, nodes);
	showEvents(events);
	showAtrs(status);
	showNodes(nodes);
}

async function get(path) {
	const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(REFRESH_MS) });

	if (!answer.ok)
		throw new Error(`${path}: ${answer.status}`);
	return answer.json();
}

/* What cannot be had yet (akmd is starting) is empty; without a status there is nothing to show, and that is bad. */
async function refresh() {
	try {
		const [status, nodes, events] = await Promise.all([get("/api/status.json"),
			get("/api/nodes.json").catch(() => ({ nodes: [] })), get("/api/events.json")]);

		view.data = { status, nodes: list(nodes.nodes), events: list(events) };
		show();
		byId("updated").textContent = `as of ${clock(new Date())} UTC`;
		document.body.dataset.state = "shown";
	} catch (e) {
		showVerdict("alert", "Not healthy: akmd does not answer");
		byId("updated").textContent = view.data ? "what is below is old" : String(e.message || e);
		document.body.dataset.state = "failed";
	}
}

function start() {
	byId("pause").addEventListener("click", () => {
		view.paused = !view.paused;
		byId("pause").setAttribute("aria-pressed", String(view.paused));
		if (!view.paused)
			refresh();
	});
	byId("filter").addEventListener("input", (e) => {
		view.filter = e.target.value;
		if (view.data)
			showNodes(view.data.nodes);
	});
	document.addEventListener("visibilitychange", () => document.hidden || view.paused || refresh());
	refresh();
	setInterval(() => view.paused || document.hidden || refresh(), REFRESH_MS);
}

start();
