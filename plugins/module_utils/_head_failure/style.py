# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a report looks: on a screen by day and by night, on a phone, on paper. The classes of plots are here too."""

from __future__ import annotations

LIGHT = """
--paper: #fff; --card: #f7f9fb; --ink: #1c242c; --quiet: #56616d; --line: #dbe1e7; --faint: #e9edf1;
--ok: #1a7f4b; --ok-soft: #e6f4ec; --bad: #c0362c; --bad-soft: #fbeae8; --slow: #d98a04; --load: #b4cbe4; --span: #1f5f9912;
--c0: #1f5f99; --c1: #b5651d; --c2: #2a8c72; --c3: #7a4ea3; --c4: #4a9fd0; --c5: #8a7a1f; --c6: #a3487c; --c7: #66727f; --c8: #5c8f2e;
"""
DARK = """
--paper: #12161b; --card: #1a2027; --ink: #e5eaef; --quiet: #9aa6b2; --line: #313a44; --faint: #232a32;
--ok: #35b877; --ok-soft: #143024; --bad: #f0695e; --bad-soft: #3a1c1b; --slow: #f0ad3c; --load: #3f5f82; --span: #7fb2e61a;
--c0: #6aaee8; --c1: #e09a57; --c2: #4fc2a3; --c3: #b18ad8; --c4: #8fd0f0; --c5: #cdbb55; --c6: #db86b4; --c7: #9aa6b2; --c8: #97c96b;
"""
COLOURED = "".join(
    f".line.c{number} {{ stroke: var(--c{number}); }} .stage.c{number} {{ fill: var(--c{number}); }} "
    f"i.c{number} {{ background: var(--c{number}); }}\n"
    for number in range(9)
)
STYLE = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 66rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
h1, p, li, .long {{ overflow-wrap: anywhere; }}
h1 {{ font-size: 1.45rem; line-height: 1.3; margin: 0 0 .4rem; font-weight: 600; text-wrap: pretty; }}
h2 {{ font-size: 1.05rem; margin: 2.2rem 0 .5rem; }}
summary {{ margin: 1rem 0 .5rem; color: var(--quiet); cursor: pointer; }}
p {{ margin: .25rem 0; }}
.quiet {{ color: var(--quiet); }}
.verdict {{ border-left: .4rem solid; border-radius: .4rem; padding: .9rem 1.1rem; }}
.verdict.passed {{ border-color: var(--ok); background: var(--ok-soft); }}
.verdict.failed {{ border-color: var(--bad); background: var(--bad-soft); }}
.verdict b {{ text-transform: capitalize; }}
.passed b, .outcome.kept {{ color: var(--ok); }}
.failed b, .outcome.broken {{ color: var(--bad); }}
.outcome {{ font-weight: 600; white-space: nowrap; }}
.outcome.not-judged {{ font-weight: 400; color: var(--quiet); }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; margin: 1rem 0; }}
.figure {{ border: 1px solid var(--line); border-radius: .5rem; padding: .55rem .8rem; background: var(--card); line-height: 1.35;
  font-size: .87rem; color: var(--quiet); }}
.figure b {{ display: block; white-space: nowrap; font-size: 1.35rem; line-height: 1.4; color: var(--ink); font-variant-numeric: tabular-nums; }}
.figure.off b {{ color: var(--bad); }}
ul {{ margin: .25rem 0; padding-left: 1.25rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }}
th {{ color: var(--quiet); font-weight: 600; }}
th.n, td.n {{ text-align: right; }}
td.n {{ white-space: nowrap; }}
.facts td:first-child {{ color: var(--quiet); width: 13rem; }}
.facts .n:first-child {{ width: 7rem; }}
figure {{ margin: .5rem 0 0; padding: 0 14px 0 54px; }}
figcaption {{ font-size: .8rem; color: var(--quiet); display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin-top: .2rem; }}
figcaption span {{ display: inline-flex; align-items: baseline; gap: .4rem; }}
figcaption i {{ flex: none; width: .8rem; height: .6rem; border-radius: .15rem; }}
figcaption i.half, figcaption i.most, figcaption i.thin {{ height: .2rem; align-self: center; }}
svg {{ display: block; overflow: visible; }}
svg text {{ font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--quiet); font-variant-numeric: tabular-nums; }}
.middle {{ text-anchor: middle; }}
.end {{ text-anchor: end; }}
.axis {{ text-anchor: end; transform: translateX(-6px); }}
.beside {{ transform: translateX(5px); }}
.label {{ fill: var(--ink) !important; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }}
path {{ vector-effect: non-scaling-stroke; fill: none; }}
.faint {{ stroke: var(--faint); }}
.mark {{ stroke: var(--ink); stroke-opacity: .5; stroke-dasharray: 3 3; }}
.span {{ fill: var(--span); }}
.bar.load {{ fill: var(--load); }}
.bar.slow {{ fill: var(--slow); }}
.bar.failed {{ fill: var(--bad); }}
.line {{ stroke-width: 1.6px; stroke-linejoin: round; stroke-linecap: round; }}
.line.half {{ stroke: var(--c0); stroke-width: 2px; }}
.line.most {{ stroke: var(--c1); stroke-width: 1.2px; }}
.line.dashed {{ stroke-dasharray: 4 4; }}
.dot {{ stroke-width: 5px; stroke-linecap: round; }}
.dot.halo {{ stroke: var(--paper); stroke-width: 9px; }}
.dot.slow {{ stroke: var(--slow); }}
.dot.failed {{ stroke: var(--bad); }}
i.load {{ background: var(--load); }}
i.slow {{ background: var(--slow); }}
i.failed {{ background: var(--bad); }}
i.half {{ background: var(--c0); }}
i.most {{ background: var(--c1); }}
figcaption i.dashed {{ opacity: .5; }}
{COLOURED}
@media screen and (max-width: 44rem) {{
  body {{ padding: .75rem .75rem 3rem; }}
  h1 {{ font-size: 1.2rem; }}
  .figures {{ grid-template-columns: repeat(2, 1fr); }}
  figure {{ padding-left: 47px; }}
  .minor {{ display: none; }}
  svg text.label {{ font-size: 10px; }}
  .facts td:first-child {{ width: 7rem; }}
  th, td {{ padding: .3rem; }}
  .mid {{ overflow-wrap: anywhere; }}
  .cards thead {{ display: none; }}
  .cards tr {{ display: grid; grid-template-columns: 1fr 1fr; column-gap: 1.25rem; border-bottom: 1px solid var(--line); padding: .4rem 0; }}
  .cards td {{ display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .05rem 0; text-align: right; }}
  .cards td::before {{ content: attr(data-head); color: var(--quiet); text-align: left; font-weight: 400; white-space: normal; }}
  .cards td.row {{ grid-column: 1 / -1; }}
  .cards td.row::before {{ flex: none; }}
  .cards td.nothing {{ display: none; }}
}}
@page {{ size: A4; margin: 14mm 13mm; }}
@media print {{
  :root {{ font-size: 12px; }}
  body {{ padding: 0; max-width: none; font-size: 11px; }}
  h2 {{ break-after: avoid; margin-top: 1.4rem; }}
  table {{ font-size: .88rem; }}
  .cards {{ font-size: .8rem; }}
  .cards th, .cards td {{ padding: .25rem .3rem; }}
  thead, tbody tr:first-child {{ break-after: avoid; }}
  figure, tr, .figures, .verdict, ul {{ break-inside: avoid; }}
  .figures {{ grid-template-columns: repeat(6, 1fr); }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
