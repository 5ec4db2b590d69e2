// Runs in the browser, beside axe: puts one document after another into a page, and says what is wrong with how it looks in a medium. Each function answers with faults, none when
// all is well.

/** A line of more letters than this is hard to come back from. A letter is half as wide as it is high. */
const widestLine = 100;
/** Of a text shorter than this nobody loses the line. */
const shortText = 120;
/** 0 is black; paper is at the other end. */
const paperLightness = 0.9;

const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (selector) => all(selector).filter((each) => each.checkVisibility());
const named = (node) => node.outerHTML.slice(0, 120).replaceAll(/\s+/g, " ");

/** In the place of the document that was there: its stylesheets stay, and its scripts do not run. */
const put = (text) => {
  const made = new DOMParser().parseFromString(text, "text/html");
  const styles = (of) =>
    [...of.querySelectorAll("[rel=stylesheet]")].map(({ href }) => href).join();
  if (styles(made) !== styles(document)) throw new Error("a page with other stylesheets");
  const root = document.documentElement;
  // oxlint-disable-next-line unicorn/no-useless-spread -- the list is live: it is shorter after each removal
  for (const { name } of [...root.attributes]) root.removeAttribute(name);
  for (const { name, value } of made.documentElement.attributes) root.setAttribute(name, value);
  document.title = made.title;
  document.body.replaceWith(document.adoptNode(made.body));
  scrollTo(0, 0);
};

const sideways = () => {
  const more = document.documentElement.scrollWidth - innerWidth;
  return more > 0 ? [`scrolls sideways by ${more}`] : [];
};

/** A real table stays one, however narrow: its roles and headers go with its display. */
const brokenTables = () =>
  shown("table, thead, tbody, tr, th, td")
    .filter((node) => !getComputedStyle(node).display.startsWith("table"))
    .map((node) => `is a table no more: ${named(node)}`);

/** What a link within the page leads to is not to be under a header that stays. */
const underHeader = () => {
  const top = shown("body > header").find((each) =>
    ["sticky", "fixed"].includes(getComputedStyle(each).position),
  );
  const room = Number.parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
  return top !== undefined && room < top.offsetHeight
    ? [`${room} px are kept free below a header of ${top.offsetHeight} px`]
    : [];
};

const longLines = () =>
  shown("main p, main dd, main li").flatMap((node) => {
    const long = node.textContent.length > shortText && !node.querySelector("p, li, table, pre");
    const letters = (node.clientWidth * 2) / Number.parseFloat(getComputedStyle(node).fontSize);
    return long && letters > widestLine
      ? [`lines of ${Math.round(letters)} letters: ${named(node)}`]
      : [];
  });

/** From 0 to 1; nothing where the colour lets all through. */
const lightness = (colour) => {
  const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
  return alpha === 0 ? undefined : (red + green + blue) / 765;
};

const onPaper = () => [
  ...shown("nav, form, button, input:not([type=hidden])").map((node) => `prints ${named(node)}`),
  ...all("table, main > h1")
    .filter((node) => !node.checkVisibility())
    .map((node) => `does not print ${named(node)}`),
  ...shown("html, body, header, main, table, tr, th").flatMap((node) => {
    const ground = lightness(getComputedStyle(node).backgroundColor) ?? 1;
    return ground < paperLightness ? [`prints a dark ground: ${named(node)}`] : [];
  }),
];

/** One of each kind: what is styled alike looks alike. */
const kinds = new Set();
const fresh = (node) => {
  const kind = [node.tagName, node.type, node.className, node.parentNode.className].join();
  return !kinds.has(kind) && kinds.add(kind);
};

const isBordered = (style) =>
  style.borderTopStyle !== "none" && Number.parseFloat(style.borderTopWidth) > 0;

/** Backgrounds and shadows are gone there: a place of the focus and a state have to be told otherwise. */
const inForcedColours = () => [
  ...shown("a[href], button, input, select, textarea, summary, [tabindex='0']")
    .filter(fresh)
    .flatMap((node) => {
      node.focus();
      const { outlineStyle, outlineWidth } = getComputedStyle(node);
      const isSeen = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2;
      const isFocused = document.activeElement === node || node.disabled;
      return isSeen && isFocused ? [] : [`no focus is seen: ${named(node)}`];
    }),
  ...shown(".pill, [aria-current], rect")
    .filter(fresh)
    .flatMap((node) => {
      const style = getComputedStyle(node);
      const told =
        isBordered(style) ||
        style.textDecorationLine !== "none" ||
        !["none", ""].includes(style.stroke);
      return told ? [] : [`told by colour alone: ${named(node)}`];
    }),
];

window.look = {
  put,
  wide: () => [...sideways(), ...longLines(), ...underHeader()],
  narrow: () => [...sideways(), ...brokenTables(), ...underHeader()],
  onPaper,
  inForcedColours,
};
