//! The gallery: one page with every picture in it, that needs nothing beside itself.

use super::report::Report;

/// A picture and what is under it.
pub(crate) struct Exhibit {
    pub(crate) number: usize,
    pub(crate) png: Vec<u8>,
    pub(crate) caption: String,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f5f4f0;--ink:#1d212b;--soft:#5d6472;--card:#fff;--line:#dedcd4;--good:#19703a;\
--goodground:#dff2e3;--bad:#b3261e;--badground:#fbe4e2;--accent:#d4502f}
@media(prefers-color-scheme:dark){:root{--ground:#13151a;--ink:#e9eaee;--soft:#9aa1b0;--card:#1c1f27;--line:#303541;\
--good:#7fdc9c;--goodground:#16301f;--bad:#ff9b92;--badground:#3a1a18;--accent:#ff7d5c}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:100rem;padding:clamp(1.2rem,4vw,3.2rem) clamp(1rem,4vw,4rem);background:var(--ground);
color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
h1{font-size:clamp(1.5rem,4vw,2.3rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 .9rem;text-wrap:balance}
h2{font-size:1.05rem;margin:2.4rem 0 .8rem}
p{margin:.7rem 0;max-width:46rem;color:var(--soft);text-wrap:pretty}
.verdict{display:inline-block;margin:0;padding:.2rem .75rem;border-radius:2rem;font-weight:600;color:var(--good);
background:var(--goodground)}
.verdict.bad{color:var(--bad);background:var(--badground)}
dl{display:grid;margin:0}dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-variant-numeric:tabular-nums}
.large{grid-template-columns:repeat(auto-fit,minmax(min(11rem,100%),1fr));gap:.9rem;margin-top:1.6rem}
.large div{background:var(--card);border:1px solid var(--line);border-top:3px solid var(--accent);border-radius:.6rem;
padding:.8rem 1.1rem 1rem;display:flex;flex-direction:column-reverse;justify-content:flex-end}
.large dd{font-size:1.8rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}
.small{grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr));column-gap:2.4rem;margin-top:1.2rem}
.small div{display:flex;justify-content:space-between;gap:1rem;padding:.35rem 0;border-bottom:1px solid var(--line)}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr));gap:1rem}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.6rem;overflow:hidden}
main figure{content-visibility:auto;contain-intrinsic-size:auto 15rem 15rem}
main button{display:block;width:100%;padding:0;border:0;background:none;cursor:zoom-in}
main button:focus-visible{outline:3px solid var(--accent);outline-offset:-3px}
main img{display:block;width:100%;height:auto;transition:opacity .15s}main button:hover img{opacity:.86}
figcaption{padding:.5rem .8rem .6rem;font-size:.8rem;line-height:1.4;color:var(--soft)}
figcaption b{display:block;color:var(--ink);font-size:.88rem}
.failed{color:var(--bad);margin:.3rem 0}
footer{margin-top:2.6rem;font-size:.85rem;color:var(--soft)}code{font-size:.92em}
dialog{border:0;padding:0;background:none;max-width:96vw;overflow:visible}
dialog img{display:block;width:min(96vw,calc(84vh*4/3),1100px);image-rendering:pixelated;border-radius:.5rem}
dialog p{margin:.7rem 0 0;text-align:center;color:#fff;max-width:none}dialog::backdrop{background:#000d}
@media print{main{grid-template-columns:repeat(4,1fr)}}";

const SCRIPT: &str = "\
const large=document.querySelector('dialog'),shown=large.querySelector('img'),text=large.querySelector('p');
const pictures=[...document.querySelectorAll('main img')];let place=0;
const show=to=>{place=(to+pictures.length)%pictures.length;shown.src=pictures[place].src;shown.alt=pictures[place].alt;
text.textContent=pictures[place].closest('figure').querySelector('figcaption').innerText.replace(/\\n/g,' · ')};
document.querySelector('main').addEventListener('click',event=>{
const button=event.target.closest('button');if(!button)return;
show(pictures.indexOf(button.querySelector('img')));large.showModal()});
large.addEventListener('click',()=>large.close());
large.addEventListener('keydown',event=>{
if(event.key==='ArrowRight')show(place+1);if(event.key==='ArrowLeft')show(place-1)});";

/// What stands out of the figures.
const LARGE: [&str; 4] = [
    "connects a second",
    "client CPU a connect",
    "first frame p50",
    "memory a session, both ends",
];

pub(crate) fn page(report: &Report, exhibits: &[Exhibit]) -> String {
    let rows = report.rows();
    let list = |large: bool| -> String {
        rows.iter()
            .filter(|(name, _)| LARGE.contains(name) == large)
            .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value)))
            .collect()
    };
    let failures: String = report
        .failures
        .iter()
        .map(|failed| {
            let number = failed
                .session
                .map_or("?".to_owned(), |number| format!("{number:04}"));
            format!(
                "<p class=failed>Session {number}: {}</p>",
                escaped(&failed.reason)
            )
        })
        .collect();
    let (class, verdict) = match report.failures.len() {
        0 => ("verdict", "✓ Every picture is right, to the pixel".to_owned()),
        failed => ("verdict bad", format!("✗ {failed} of {} failed", report.sessions)),
    };
    let pictures: String = exhibits.iter().map(|exhibit| figure(report, exhibit)).collect();
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>{count} RDP sessions</title><style>{STYLE}</style></head><body>\n<header>\
         <h1>{count} RDP sessions in one process</h1>\n<p class=\"{class}\">{verdict}</p>\n{failures}\
         <p>Each picture below was drawn by a server, sent over TLS, decoded by a client of its own, and compared with what \
         the server drew. The text in it was typed by that client, key by key.</p></header>\n\
         <dl class=large>{large}</dl>\n<dl class=small>{small}</dl>\n<h2>What each session saw last</h2>\n<main>\n{pictures}\
         </main>\n<footer>Made by <code>ironrdp demo</code>. The same figures, for programs, are in \
         <code>report.json</code>.</footer>\n<dialog><img alt=\"\"><p></p></dialog>\n<script>{SCRIPT}</script></body></html>\n",
        count = report.sessions,
        large = list(true),
        small = list(false),
    )
}

fn figure(report: &Report, exhibit: &Exhibit) -> String {
    let (name, details) = exhibit
        .caption
        .split_once(" · ")
        .unwrap_or((&exhibit.caption, ""));
    format!(
        "<figure><button type=button><img width={} height={} loading=lazy alt=\"session {:04}\" \
         src=\"data:image/png;base64,{}\"></button><figcaption><b>{}</b>{}</figcaption></figure>\n",
        report.width,
        report.height,
        exhibit.number,
        base64(&exhibit.png),
        escaped(name),
        escaped(details)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let [sextet, ..] = (word >> (18 - 6 * place) & 0x3f).to_le_bytes();
            let letter = ALPHABET.get(usize::from(sextet)).copied().unwrap_or(b'=');
            text.push(if place > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn what_a_server_says_cannot_become_markup() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
