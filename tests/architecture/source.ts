// Reads TypeScript just well enough for the architecture rules: what a file imports, and its code
// without comments, strings and regular expressions. Type imports count like any other.

/** A source file; `path` is relative to the repository, with forward slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

/** What one import names. */
export interface ImportSite {
  /** As written; `(computed)` for one that is not a plain string, `reference X` for a /// directive. */
  specifier: string;
  /** 1-based. */
  line: number;
}

const NEXT = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[`{}/]/g;
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const REGULAR_EXPRESSION = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const BEFORE_REGULAR_EXPRESSION =
  /(?:^|[=(,:;!&|?{}[+\-*%~^<>]|\b(?:return|typeof|case|in|of|void|delete|throw|yield|else))\s*$/;

const STATIC = /(?<![\w$.#])(?:import|export)\b(?:[\w$\s{},*]*\bfrom)?\s*(['"])(\s*)\1/g;
const DYNAMIC = /(?<![\w$.#])(?:import|require)\s*\(\s*(?:(['"`])(\s*)\1\s*[,)])?/g;
const REFERENCE = /^\s*\/\/\/\s*<reference\s+(?:types|path|lib)\s*=\s*["']([^"']+)["']/gm;

/** The same text, as long and with the same lines, in which only code is left; quotes stay, empty. */
export function codeOf(text: string): string {
  const blanks: [number, number][] = [];
  const depths: number[] = []; // open braces inside each open template substitution
  const template = (from: number): number => {
    TEMPLATE_PART.lastIndex = from;
    const part = TEMPLATE_PART.exec(text);
    if (!part) return text.length; // never closed, so no compiler takes it either
    const end = TEMPLATE_PART.lastIndex;
    const opens = part[0].endsWith('${');
    blanks.push([from, end - (opens ? 2 : 1)]);
    if (opens) depths.push(0);
    return end;
  };
  NEXT.lastIndex = 0;
  for (let found = NEXT.exec(text); found; found = NEXT.exec(text)) {
    const [token] = found;
    const { index } = found;
    if (token === '`') NEXT.lastIndex = template(index + 1);
    else if (token === '{') nest(depths, 1);
    else if (token === '}' && depths.at(-1) === 0) {
      depths.pop();
      NEXT.lastIndex = template(index + 1);
    } else if (token === '}') nest(depths, -1);
    else if (token === '/') NEXT.lastIndex = regularExpression(text, index, blanks);
    else if (token.startsWith('/')) blanks.push([index, index + token.length]);
    else blanks.push([index + 1, index + token.length - 1]);
  }
  return blankOut(text, blanks);
}

function nest(depths: number[], by: number): void {
  if (depths.length > 0) depths[depths.length - 1]! += by;
}

function regularExpression(text: string, index: number, blanks: [number, number][]): number {
  REGULAR_EXPRESSION.lastIndex = index;
  const before = text.slice(Math.max(0, index - 40), index);
  if (!BEFORE_REGULAR_EXPRESSION.test(before) || !REGULAR_EXPRESSION.test(text)) return index + 1;
  blanks.push([index, REGULAR_EXPRESSION.lastIndex]);
  return REGULAR_EXPRESSION.lastIndex;
}

function blankOut(text: string, blanks: readonly [number, number][]): string {
  let code = '';
  let position = 0;
  for (const [start, end] of blanks) {
    code += text.slice(position, start) + text.slice(start, end).replace(/[^\n]/g, ' ');
    position = end;
  }
  return code + text.slice(position);
}

/** Every module that the file names: imports, re-exports, `import('...')`, /// references. */
export function importsOf(text: string): ImportSite[] {
  const code = codeOf(text);
  const sites: (ImportSite & { index: number })[] = [];
  const add = (index: number, specifier: string) =>
    sites.push({ index, specifier, line: lineAt(text, index) });
  for (const found of code.matchAll(STATIC)) add(found.index, quoted(text, found));
  for (const found of code.matchAll(DYNAMIC)) {
    add(found.index, found[1] === undefined ? '(computed)' : quoted(text, found));
  }
  for (const found of text.matchAll(REFERENCE)) {
    add(found.index + found[0].indexOf('/'), `reference ${found[1]}`);
  }
  return sites
    .sort((a, b) => a.index - b.index)
    .map(({ specifier, line }) => ({ specifier, line }));
}

/** The original text of the quoted part, which the code has blanked. */
function quoted(text: string, found: RegExpExecArray): string {
  const [whole, quote = '', content = ''] = found;
  const start = found.index + whole.indexOf(quote) + 1;
  return text.slice(start, start + content.length);
}

/** 1-based line of a position. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
