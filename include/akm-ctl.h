/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's control socket: what akmd serves and akmctl speaks.
 *
 * A Unix stream socket (AKM_CTL_DIR/NAME.sock, mode 0600, peer must be root or the
 * daemon's own user by SO_PEERCRED). Each side sends JSON objects (RFC 8259), one a
 * line, at most AKM_CTL_LINE_MAX bytes with the newline.
 *
 *   request   {"id": N, "cmd": "node-list", "args": {…}}
 *   progress  {"id": N, "progress": "text for a person", …}      any number, before the answer
 *   item      {"id": N, "item": {…}}                             streaming commands (events follow)
 *   answer    {"id": N, "ok": true, "result": {…}}               exactly one, last
 *   refusal   {"id": N, "ok": false, "error": {"code": "ENOENT", "field": "node", "reason": "…"}}
 *
 * Unknown, missing or mistyped args are refused by name. Commands, with args → result:
 *
 *   all       status {} → {role, name, version, tpm{state, commands, depth}, peer{state, address, since},
 *                          term, nodes{total, up, evicted}, atrs[…as atr-show…], alerts[…], kernel[…],
 *                          health{state: healthy|warning|alert, alerts, warnings,
 *                                 findings[{severity, check, subject?, since?, text, remedy}]}}
 *             acknowledge {until?: seq} → {acknowledged, left}
 *             backup {path} → {path, bytes} (root, manager)
 *             events {since?: seq, limit?: n, follow?: bool} → items {seq, time, source, severity, kind, atr?, member?, text, data{}}
 *   manager   node-provision {name, via, endpoint?, hardware?} → node     (progress lines; the short
 *             fingerprint to compare; on the root the same command provisions a manager)
 *             node-replace {replaces, name, via, endpoint?, hardware?, dry_run?} → node, or what it would do (as below)
 *             node-list {} → {nodes: [node…]}    node-show {node} → node    node-evict {node, reason?} → {plans: […]}
 *             atr-create {members: [name…], id?, label?, suite?, port?, subnet4?, subnet6?, epoch_interval?,
 *                         epoch_grace?, freshness?, fallback?, group?, ttl?} → atr
 *             atr-list {} → {atrs: […]}   atr-show {atr} → atr   atr-add {atr, node} → atr   atr-remove {atr, node} → atr
 *             atr-rekey {atr, reason?} → atr   atr-delete {atr} → {}
 *             atr-set {atr, label?, epoch_interval?, epoch_grace?, freshness?, fallback?, group?, ttl?, suite?, port?,
 *             interrupt?, member?, prefixes?: [prefix…]} → atr   node-rename {node, name} → {plans}
 *             node-move {node, from, to} → {plans}
 *             (each of these changes, and node-evict: dry_run? → {dry_run, node?, steps: [{atr, label, change,
 *             generation?, definition?, reason?, joins?, leaves?, now: [name…], at_return: [name…], until_return?,
 *             interrupted}]})
 *             policy-trigger {atr, node?, reason?} → {} (manager)
 *             atr-lock {atr} → atr   atr-unlock {atr} → atr   lock {} → {locked, atrs, atrs_locked}   unlock {} → likewise
 *             (each atr-* change answers when every reachable member is done, or with what is still missing)
 *   root      manager-replace {replaces, name, via, hardware?} → node     (progress lines)
 *   node      provision-allow {via?, seconds?} → {}
 *
 *   node      {name, id, label, state: provisioned|evicted, link: up|down, last_seen, hardware, ek_name, key_name, endpoint, atrs: […]}
 *   atr       {id, label, suite, port, subnet4, subnet6, freshness: strict|epoch, fallback: armed|off, group?, ttl?, locked? (why), locked_since?, generation, key_id, state: stable|preparing|activating|retiring,
 *              fallback_state: none|arming|armed|in use, fallback_generation,
 *              members: [{index, node, addresses: […], endpoint, generation, state: current|behind|absent}]}
 *
 * "via" is a transport of the direct connection: serial:/dev/ttyUSB0[,BAUD], unix:/path (connect), unix-listen:/path.
 * Values: times are RFC 3339 strings in UTC; epoch_interval and epoch_grace are milliseconds, "seconds" is seconds;
 * suite is aes-256-gcm, chacha20-poly1305 or aes-128-gcm; subnets are "10.77.1.0/24", endpoints "192.0.2.3:7645" or
 * "[2001:db8::3]:7645"; last_seen is absent for a node that was never seen. An error's code is the name of an errno.
 * Names of nodes and ATRs are 1…63 of [A-Za-z0-9._-]; an ATR may be named by "1", "#1" or its label.
 */
#ifndef AKM_CTL_H
#define AKM_CTL_H

#define AKM_CTL_DIR		"/run/akm"
#define AKM_CTL_LINE_MAX	(4 * 1024 * 1024)

#endif /* AKM_CTL_H */
