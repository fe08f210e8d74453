//! The gallery: one page with every picture in it, that needs nothing beside itself.

use super::report::Report;

/// A picture and what is under it.
pub(crate) struct Exhibit {
    pub(crate) number: usize,
    pub(crate) png: Vec<u8>,
    pub(crate) caption: String,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f5f1;--ink:#20242e;--soft:#646b78;--card:#fff;--line:#dcdad2}
@media(prefers-color-scheme:dark){:root{--ground:#15171c;--ink:#e8e9ec;--soft:#969dab;--card:#1e2128;--line:#323743}}
*{box-sizing:border-box}body{margin:0;padding:2rem clamp(1rem,4vw,4rem);background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;margin:0}p{color:var(--soft);margin:.2rem 0 1.4rem;max-width:46rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:0 0 2rem}
dl div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .9rem}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
figure img{display:block;width:100%;height:auto;cursor:zoom-in}figcaption{padding:.4rem .8rem;font-size:.8rem;color:var(--soft)}
.failed{color:#c22}dialog{border:0;padding:0;background:none;max-width:96vw}dialog img{width:min(96vw,960px);image-rendering:pixelated}
dialog::backdrop{background:#000b}";

const SCRIPT: &str = "\
const large=document.querySelector('dialog');
document.querySelector('main').addEventListener('click',event=>{
if(event.target.tagName!=='IMG')return;
large.querySelector('img').src=event.target.src;large.showModal();});
large.addEventListener('click',()=>large.close());";

pub(crate) fn page(report: &Report, exhibits: &[Exhibit]) -> String {
    let facts: String = report
        .rows()
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value)))
        .collect();
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
    let pictures: String = exhibits
        .iter()
        .map(|exhibit| {
            format!(
                "<figure><img width={} height={} loading=lazy alt=\"session {:04}\" src=\"data:image/png;base64,{}\">\
                 <figcaption>{}</figcaption></figure>\n",
                report.width,
                report.height,
                exhibit.number,
                base64(&exhibit.png),
                escaped(&exhibit.caption)
            )
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{count} RDP sessions</title><style>{STYLE}</style></head><body>\n\
         <h1>{count} RDP sessions in one process</h1>\n<p>Each picture was sent over TLS by the server, decoded by a client \
         of its own, and is pixel by pixel what the server drew. The text in it was typed by that client.</p>\n\
         <dl>{facts}</dl>\n{failures}<main>\n{pictures}</main>\n<dialog><img alt=\"\"></dialog>\n\
         <script>{SCRIPT}</script></body></html>\n",
        count = report.sessions,
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
