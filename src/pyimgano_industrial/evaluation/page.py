"""A page that needs nothing but itself: one HTML file with its style inside, for light and dark screens and paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pyimgano_industrial.evaluation.results import Number

# The browser holds the page to it: nothing is loaded, nothing runs.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d9dee4;--wash:#f5f7f9;--fill:#cfe0f1;
--s1:#0072b2;--s2:#c25400;--s3:#00795a;--s4:#a8487f;--s5:#7a5c00;--s6:#3b3f46;--normal:#0072b2;--anomalous:#d97a00;
--cut:#b3003c;--good:#00694b;--bad:#a3262d}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e8ebee;--soft:#9aa4af;--line:#333a42;--wash:#1c2126;
--fill:#1f3f5c;--s1:#56b4e9;--s2:#f28e3c;--s3:#2cc295;--s4:#dd8cbb;--s5:#e6c84f;--s6:#c3c9d1;--normal:#56b4e9;
--anomalous:#f0a63c;--cut:#ff6b8b;--good:#48c79c;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main,header,footer{max-width:1180px;margin:0 auto;padding:0 28px}
header{padding-top:44px;padding-bottom:8px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px}
h2{font-size:21px;letter-spacing:-.01em;margin:52px 0 14px}
h3{font-size:19px;letter-spacing:-.01em;margin:0 0 4px}
h4{font-size:15px;margin:30px 0 10px}
h4 small,h2 small{font-weight:400;font-size:13.5px;color:var(--soft);margin-left:8px}
p{margin:0 0 10px;max-width:76ch}
.lead{color:var(--soft);font-size:16px}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{background:var(--wash);border:1px solid var(--line);border-radius:8px;padding:12px 14px;white-space:pre-wrap;
font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:6px 8px;margin:18px 0 0;padding:0;list-style:none}
nav a{border:1px solid var(--line);border-radius:99px;padding:2px 12px;font-size:13px;color:var(--ink);
text-decoration:none}
nav a:hover{background:var(--wash)}
.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;color:var(--soft);font-size:13.5px;padding:0 0 8px}
th,td{padding:7px 12px;text-align:right;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:2px}
thead th{font-weight:600;font-size:13px;color:var(--soft);border-bottom:1.5px solid var(--soft);vertical-align:bottom}
tbody th{font-weight:500}
tbody th[scope=rowgroup]{padding-top:18px;font-weight:650;font-size:15px}
tr.mean th,tr.mean td{font-weight:650;background:var(--wash)}
td .v{display:block}
td small{color:var(--soft);font-size:12px;font-weight:400;white-space:nowrap}
td .meter{display:block;height:4px;border-radius:2px;background:var(--line);margin:3px 0 1px auto;width:92px}
td .meter i{display:block;height:4px;border-radius:2px;background:var(--s1)}
td.gap{color:var(--soft)}
td.gap a{color:inherit}
td.best .v{font-weight:700}
td.best .v::after{content:" ●";font-size:9px;vertical-align:2px;color:var(--s3)}
.cell h2{margin-top:0}
.tables caption{color:var(--ink);font-size:14px;font-weight:600;padding-bottom:4px}
.cell{border-top:1px solid var(--line);margin-top:34px;padding-top:26px}
.facts{display:flex;flex-wrap:wrap;gap:2px 26px;color:var(--soft);font-size:13.5px;margin:4px 0 16px;padding:0;
list-style:none}
.facts b{color:var(--ink);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(310px,1fr));gap:22px 26px;margin:18px 0 4px}
.charts>div>strong,.charts figure>figcaption{display:block;font-size:14px;font-weight:600;margin:0 0 6px}
.charts figure{margin:0}
svg.chart{display:block;width:100%;height:auto}
.grid{stroke:var(--line);fill:none;stroke-width:1}
.axis{stroke:var(--soft);fill:none;stroke-width:1.2}
.faint{stroke:var(--soft);fill:none;opacity:.6}
.dashed{stroke-dasharray:3 4}
.tick{fill:var(--soft);font-size:11px}
.label{fill:var(--soft);font-size:12px}
.band{fill:var(--fill);opacity:.45}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round}
.s1{stroke:var(--s1)}.s2{stroke:var(--s2);stroke-dasharray:7 3}.s3{stroke:var(--s3);stroke-dasharray:2 3}
.s4{stroke:var(--s4);stroke-dasharray:9 3 2 3}.s5{stroke:var(--s5);stroke-dasharray:12 4}.s6{stroke:var(--s6);
stroke-dasharray:1 3}
.bar.normal{fill:var(--normal)}.bar.anomalous{fill:var(--anomalous)}
.bar.group{fill:var(--s1);opacity:.75}
.whisker{stroke:var(--ink);stroke-width:1.4;fill:none}
.cut{stroke:var(--cut);stroke-width:1.8;stroke-dasharray:6 3}
.cut-text{fill:var(--cut);font-size:11.5px;font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin:4px 0 0;padding:0 0 0 40px;list-style:none;font-size:12.5px;
color:var(--soft)}
.legend svg{width:26px;height:12px;margin-right:6px;vertical-align:-1px}
.tables{display:grid;grid-template-columns:minmax(0,1fr);gap:26px;margin-top:26px}
.breakdown{display:grid;grid-template-columns:minmax(0,5fr) minmax(250px,2fr);gap:12px 30px;align-items:start}
.breakdown th,.breakdown td{padding-left:7px;padding-right:7px}
.breakdown thead th:nth-child(2){white-space:normal}
.breakdown td small{display:inline-block;max-width:92px;white-space:normal}
.breakdown figure{margin:0}
.gallery{display:grid;gap:12px}
.preview{margin:0;border:1px solid var(--line);border-radius:10px;padding:12px 14px;background:var(--wash);display:grid;
grid-template-columns:158px minmax(0,1fr);gap:16px}
.preview figcaption{display:flex;flex-direction:column;gap:2px;font-size:13px}
.preview code{color:var(--soft);font-size:11px;margin-top:4px}
.verdict{font-size:14.5px}
.panels{display:grid;grid-template-columns:repeat(4,1fr);gap:8px}
.panels img{display:block;width:100%;height:auto;border-radius:4px}
.panels span{display:block;font-size:11.5px;color:var(--soft);margin-top:3px}
.verdict.right{color:var(--good)}.verdict.wrong{color:var(--bad)}
.scale{display:flex;gap:10px;align-items:center;margin:26px 0 0;font-size:12.5px;color:var(--soft);max-width:560px}
.scale figcaption{white-space:nowrap}
.scale div{position:relative;flex:1}
.scale img{display:block;width:100%;height:12px;border-radius:3px}
.scale i{position:absolute;top:-4px;height:20px;width:2px;background:var(--cut)}
.key{font-size:12.5px;color:var(--soft);margin:6px 0 0}
.key b{font-weight:600}
.notes li{margin-bottom:4px;max-width:100ch}
.fail{color:var(--bad)}
details summary{cursor:pointer;color:var(--soft);font-size:13.5px;margin:14px 0 6px}
footer{color:var(--soft);font-size:13px;padding-top:10px;padding-bottom:60px}
@media (max-width:640px){main,header,footer{padding-left:16px;padding-right:16px}.preview,.charts,
.breakdown{grid-template-columns:minmax(0,1fr)}.panels{grid-template-columns:repeat(2,1fr)}}
@media print{.cell{break-inside:avoid-page}nav{display:none}}
"""


def page(title: str, *, lead: str, links: Sequence[tuple[str, str]], body: Iterable[str], foot: str) -> str:
    """Return a whole page; lead, body and foot are HTML, links are (anchor, text)."""
    nav = "".join(f'<a href="#{anchor}">{escape(text)}</a>' for anchor, text in links)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{_POLICY}\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><div class="lead">{lead}</div>'
        f"{f'<nav aria-label=Sections>{nav}</nav>' if nav else ''}</header>\n"
        f"<main>{''.join(body)}</main>\n<footer>{foot}</footer>\n</body>\n</html>\n"
    )


def table(caption: str, header: Sequence[str], bodies: Iterable[str]) -> str:
    """Return a table; caption and header are text, bodies HTML of tbody elements."""
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in header)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"{''.join(bodies)}</table></div>"
    )


def row(name: str, cells: Iterable[str], *, kind: str = "") -> str:
    """Return a row; name is text, cells are HTML of td elements."""
    return f'<tr{f" class={kind}" if kind else ""}><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def td(text: str, *, kind: str = "") -> str:
    """Return a cell of text."""
    return f"<td{f' class={kind}' if kind else ''}>{escape(text)}</td>"


def number_td(number: Number, *, best: Number | None = None, kind: str = "") -> str:
    """Return a cell of a metric with a bar and its interval; best: the F1 at the best threshold."""
    beside = []
    if number.low is not None and number.high is not None:
        beside.append(f"[{number.low:.3f}, {number.high:.3f}]")
    if best is not None:
        beside.append(f"best {best.value:.3f}")
    small = f"<small>{' · '.join(beside)}</small>" if beside else ""
    return (
        f'<td{f" class={kind}" if kind else ""}><span class="v">{number.value:.3f}</span>'
        f'<span class="meter" aria-hidden="true"><i style="width:{100 * min(1.0, max(0.0, number.value)):.1f}%"></i>'
        f"</span>{small}</td>"
    )
