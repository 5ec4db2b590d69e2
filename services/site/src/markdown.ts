import { Marked, type Tokens } from "marked";

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (found) => escapes[found]!);

/** A page is below 40 kB: in a longer table the style, and not each cell, says what is code. */
const maxMarkedRows = 150;

/** The anchor of a heading, as GitHub makes it. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

/** Where a link of a document leads on the site; undefined: nowhere, its words stand alone. */
export type Follow = (href: string) => string | undefined;

/**
 * A document as markup. Headings have anchors, tables and code that is too wide scroll by themselves and with the keyboard, and HTML in the text is text.
 */
export function toMarkup(markdown: string, follow: Follow): string {
  const seen = new Map<string, number>();
  const marked = new Marked({ gfm: true });
  marked.use({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const plain = anchorOf(text.replaceAll(/`|\[([^\]]*)\]\([^)]*\)/g, "$1"));
        const times = seen.get(plain) ?? 0;
        seen.set(plain, times + 1);
        const id = escape(times === 0 ? plain : `${plain}-${times}`);
        const words = this.parser.parseInline(tokens);
        return depth === 1
          ? `<h1>${words}</h1>`
          : words.includes("<a ")
            ? `<h${depth} id="${id}">${words}</h${depth}>`
            : `<h${depth} id="${id}"><a href="#${id}">${words}</a></h${depth}>`;
      },
      link({ href, tokens }: Tokens.Link) {
        const words = this.parser.parseInline(tokens);
        const to = follow(href);
        return to === undefined ? words : `<a href="${escape(to)}">${words}</a>`;
      },
      image: ({ text }: Tokens.Image) => escape(text),
      html: ({ text }: Tokens.HTML | Tokens.Tag) => escape(text),
      code: ({ text }: Tokens.Code) => `<pre tabindex="0"><code>${escape(text)}</code></pre>`,
      hr: () => "<hr>",
      br: () => "<br>",
      table({ header, rows }: Tokens.Table) {
        const dense = rows.length > maxMarkedRows;
        const words = ({ tokens }: Tokens.TableCell): string => {
          const all = this.parser.parseInline(tokens);
          return dense ? all.replaceAll(/<\/?code>/g, "") : all;
        };
        const titles = header.map((cell) =>
          cell.text === "" ? "<td></td>" : `<th scope="col">${words(cell)}</th>`,
        );
        const lines = rows.map(
          (row) => `<tr>${row.map((cell) => `<td>${words(cell)}</td>`).join("")}</tr>`,
        );
        return `<div class="scroll" tabindex="0"><table${dense ? ' class="dense"' : ""}><thead><tr>${titles.join("")}</tr></thead><tbody>${lines.join("")}</tbody></table></div>`;
      },
    },
  });
  return marked.parse(markdown, { async: false }).replaceAll(/>\n+</g, "><");
}

/** Code, which keeps what looks like a link; or a link, whose words may have code in them. */
const codeOrLink =
  /^```[\s\S]*?^```|\[((?:`[^`\n]*`|[^[\]`]|\[[^\]]*\])*)\]\(([^)\s]+)\)|`[^`\n]*`/gm;

/** The same document for readers of Markdown: each link absolute, and of those that lead nowhere the words alone. */
export const relink = (markdown: string, follow: Follow): string =>
  markdown.replaceAll(codeOrLink, (all, words?: string, href?: string) => {
    if (words === undefined || href === undefined) return all;
    const to = follow(href);
    return to === undefined ? words : `[${words}](${to})`;
  });

/** The words of the first paragraph, for a description. */
export function firstWords(markdown: string): string {
  const paragraph = markdown
    .replace(/^# .*$/m, "")
    .split(/\n{2,}/)
    .map((part) => part.trim())
    .find((part) => /^[\p{L}\p{N}`*]/u.test(part) && !part.startsWith("```"));
  const plain = (paragraph ?? "")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[`*]/g, "")
    .replaceAll(/\s+/g, " ");
  const sentence = /^.{20,}?[.:](?=\s|$)/.exec(plain)?.[0] ?? plain;
  return sentence.length > 160 ? `${sentence.slice(0, 157).replace(/\s\S*$/, "")} …` : sentence;
}
