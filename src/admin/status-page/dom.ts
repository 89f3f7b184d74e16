/**
 * The part of the browser's own objects that the page's script uses. The project is checked without the library of a
 * browser's types, whose globals would then be there for code that runs in Node, too.
 */
export interface PageElement {
  id: string;
  className: string;
  textContent: string | null;
  title: string;
  value: string;
  href: string;
  hidden: boolean;
  readonly dataset: Record<string, string>;
  readonly style: { setProperty(name: string, value: string): void };
  readonly children: ArrayLike<PageElement>;
  setAttribute(name: string, value: string): void;
  getAttribute(name: string): string | null;
  append(...children: (PageElement | string)[]): void;
  replaceChildren(...children: (PageElement | string)[]): void;
  insertBefore(child: PageElement, before: PageElement | null): void;
  contains(other: PageElement | null): boolean;
  remove(): void;
  focus(): void;
  addEventListener(type: string, listener: () => void): void;
}

interface PageDocument {
  title: string;
  readonly hidden: boolean;
  readonly body: PageElement;
  createElement(name: string): PageElement;
  createElementNS(namespace: string, name: string): PageElement;
  getElementById(id: string): PageElement | null;
  querySelector(selector: string): PageElement | null;
  getSelection(): { readonly isCollapsed: boolean; readonly anchorNode: PageElement | null } | null;
  addEventListener(type: string, listener: () => void): void;
}

declare const document: PageDocument;

export function byId(id: string): PageElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** An element with attributes and children; text is only ever text. SVG's names are told by their namespace. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (PageElement | string)[]
): PageElement {
  const isDrawing = name === "svg" || name === "path";
  const made = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Touches the page only where something changes: a selection stays, and nothing is laid out again. */
export function say(target: PageElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export function mark(target: PageElement, name: string, value: string): void {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

export function reveal(target: PageElement, isShown: boolean): void {
  if (target.hidden === isShown) target.hidden = !isShown;
}

/** Somebody is marking text in there, which would be lost if it were moved. */
export function isSelected(target: PageElement): boolean {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && target.contains(selection.anchorNode);
}

export function isInBackground(): boolean {
  return document.hidden;
}

export function whenShown(act: () => void): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) act();
  });
}

/** What a browser's tab shows of it: a title, and a dot in the verdict's colour. */
export function showInTab(title: string, colour: string): void {
  if (document.title === title) return;
  document.title = title;
  const dot = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${colour}"/></svg>`;
  document
    .querySelector("link[rel=icon]")
    ?.setAttribute("href", `data:image/svg+xml,${encodeURIComponent(dot)}`);
}
