// The architecture as data, and one pure checker for each rule. A checker takes source files and gives
// back its complaints, `path:line what is wrong`; the tests run each on the repository and on planted
// violations.
import { posix } from 'node:path';
import { codeOf, importsOf, lineAt, type SourceFile } from './source.ts';

/** Which folders of packages/protocol/src a folder may import. */
const LAYERS: Record<string, readonly string[]> = {
  wire: [],
  transport: ['wire'],
  session: ['wire', 'transport', 'messages'],
  messages: ['wire'],
  replication: ['wire'],
  game: ['wire', 'replication', 'messages'],
  sodium: ['wire'],
  token: ['wire', 'session', 'sodium'],
  udp: ['wire', 'transport', 'session', 'sodium'],
  'index.ts': ['wire', 'transport', 'session', 'messages', 'replication', 'game'],
};

/** Which of our packages a package may import; the shell list is for its shell files only. */
const PACKAGES: Record<string, { pure: readonly string[]; shell: readonly string[] }> = {
  protocol: { pure: [], shell: [] },
  server: { pure: ['@tickwire/protocol'], shell: ['@tickwire/protocol/udp'] },
  'client-node': { pure: ['@tickwire/protocol'], shell: ['@tickwire/protocol/udp'] },
  netsim: { pure: ['@tickwire/protocol'], shell: [] },
  cli: {
    pure: [],
    shell: [
      '@tickwire/protocol',
      '@tickwire/protocol/udp',
      '@tickwire/client-node',
      '@tickwire/netsim',
      '@tickwire/server',
    ],
  },
};

/** The files that may touch Node: sockets, timers, clocks. All others are pure. */
const SHELL =
  /^packages\/(?:protocol\/src\/(?:sodium|token|udp)\/.+|server\/src\/(?:index|access-options|listen|listening-server|server-statistics)\.ts|client-node\/src\/(?:index|connect|connected-client|credential-options)\.ts|cli\/src\/.+)$/;

/** Packages of others that protocol uses: each in one file of one folder, by these entry points. */
const GUESTS: Record<string, { folder: string; entries: readonly string[] }> = {
  msgpackr: {
    folder: 'packages/protocol/src/messages/',
    entries: ['msgpackr/pack', 'msgpackr/unpack'],
  },
  libsodium: { folder: 'packages/protocol/src/sodium/', entries: ['libsodium'] },
};

/** What a pure source never names: clocks, timers, chance, asynchrony, the process around it. */
const IMPURE: readonly [string, RegExp][] = [
  ['Date', /(?<![\w$.#])Date\b/g],
  ['Math.random', /\bMath\s*(?:\?\.|\.)\s*random\b/g],
  ['Math as a value', /=\s*Math\b(?!\s*(?:\?\.|\.))|\bMath\s*\[/g],
  ['a timer', /(?<![\w$.#])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g],
  ['Promise', /(?<![\w$.#])(?:Promise|PromiseLike)\b/g],
  ['async or await', /(?<![\w$.#])(?:async|await)\b(?!\s*:)/g],
  ['process', /(?<![\w$.#])process\s*(?:\?\.|\.|\[)|=\s*process\b/g],
  ['console', /(?<![\w$.#])console\b/g],
  ['performance', /(?<![\w$.#])performance\s*(?:\?\.|\.)/g],
  ['globalThis', /(?<![\w$.#])globalThis\b/g],
  ['eval or Function', /(?<![\w$.#])(?:eval|Function)\s*\(/g],
];

const VAGUE_NAME = /^(?:utils?|helpers?|common|types?|misc)$/;

/** No source file is longer, unless ARCHITECTURE.md names it and says why. */
export const LINES_MAX = 400;

/** Whether the file may import `node:*`. */
function isShell(path: string): boolean {
  return SHELL.test(path);
}

/** Inside packages/protocol/src, a folder imports only the folders below it. */
export function checkLayers(files: readonly SourceFile[]): string[] {
  return relativeImports(files).flatMap(({ from, to, at }) => {
    const [source, target] = [layerOf(from), layerOf(to)];
    if (source === undefined || target === undefined || source === target) return [];
    const may = LAYERS[source];
    if (!may) return [`${at} '${source}' has no place in the layers`];
    return may.includes(target) ? [] : [`${at} ${source} must not import ${target}`];
  });
}

/** Packages import the packages below them, what their package.json declares, and nothing by path. */
export function checkPackages(
  files: readonly SourceFile[],
  dependencies: Readonly<Record<string, readonly string[]>>,
): string[] {
  return allImports(files).flatMap(({ from, specifier, at }) => {
    const name = packageOf(from);
    const graph = name === undefined ? undefined : PACKAGES[name];
    if (name === undefined || !graph) return [`${at} this package has no place in the graph`];
    if (specifier.startsWith('.')) return leavesPackage(from, specifier, at);
    if (specifier.startsWith('node:')) return [];
    const declared = dependencies[name]?.includes(packageName(specifier)) === true;
    if (!declared) return [`${at} '${specifier}' is not declared by ${name}/package.json`];
    if (!isOurs(specifier)) {
      const guest = name === 'protocol' && isGuest(specifier);
      return name === 'cli' || guest ? [] : [`${at} ${name} must not depend on '${specifier}'`];
    }
    const allowed = isShell(from) ? [...graph.pure, ...graph.shell] : graph.pure;
    return allowed.includes(specifier) ? [] : [`${at} ${name} must not import '${specifier}'`];
  });
}

/** Only the shells touch Node, and nothing pulls in ambient types or computes what it imports. */
export function checkNode(files: readonly SourceFile[]): string[] {
  return allImports(files).flatMap(({ from, specifier, at }) => {
    if (specifier === '(computed)') return [`${at} imports a computed name`];
    if (specifier.startsWith('reference ')) return [`${at} has a /// ${specifier}`];
    if (!specifier.startsWith('node:') || isShell(from)) return [];
    return [`${at} only shells may import '${specifier}'`];
  });
}

/** Importing a package of others is the business of exactly one file. */
export function checkGuests(files: readonly SourceFile[]): string[] {
  return Object.entries(GUESTS).flatMap(([name, { folder, entries }]) => {
    const sites = allImports(files).filter((one) => packageName(one.specifier) === name);
    const importers = [...new Set(sites.map((one) => one.from))];
    const complaints = sites.flatMap(({ from, specifier, at }) => {
      if (!from.startsWith(folder)) return [`${at} ${name} outside of ${folder}`];
      return entries.includes(specifier) ? [] : [`${at} ${name} by '${specifier}'`];
    });
    if (importers.length === 1) return complaints;
    return [...complaints, `${name} is imported by ${importers.length} files: ${importers.join()}`];
  });
}

/** Pure sources name no clock, timer, chance, asynchrony, process or console. */
export function checkPurity(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !isShell(file.path))
    .flatMap(({ path, text }) => {
      const code = codeOf(text);
      return IMPURE.flatMap(([what, pattern]) =>
        [...code.matchAll(pattern)].map(
          (found) => `${path}:${lineAt(code, found.index)} pure source uses ${what}`,
        ),
      );
    });
}

/** Relative imports lead to files that exist, by their full name. */
export function checkTargets(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map((file) => file.path));
  return relativeImports(files).flatMap(({ to, at }) =>
    paths.has(to) ? [] : [`${at} leads to ${to}, which does not exist`],
  );
}

/** No file reaches itself through imports. Each complaint is one cycle, from the file that closes it. */
export function checkCycles(files: readonly SourceFile[]): string[] {
  const targets = new Map<string, string[]>(files.map((file) => [file.path, []]));
  for (const { from, to } of relativeImports(files)) targets.get(from)?.push(to);
  const trail: string[] = [];
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push(`cycle: ${[...trail.slice(start), path].join(' -> ')}`);
    if (start >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return cycles;
}

/** No file is too long, unless a line of ARCHITECTURE.md names it, and none has a name that says nothing. */
export function checkShape(files: readonly SourceFile[], architecture: string): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    const complaints = path
      .split('/')
      .filter((part) => VAGUE_NAME.test(posix.basename(part, '.ts')))
      .map((part) => `${path} '${part}' says nothing about its job`);
    if (lines > LINES_MAX && !architecture.includes(path)) {
      complaints.push(`${path} has ${lines} lines and ARCHITECTURE.md does not say why`);
    }
    return complaints;
  });
}

interface ImportEdge {
  from: string;
  specifier: string;
  at: string;
}

function allImports(files: readonly SourceFile[]): ImportEdge[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text).map(({ specifier, line }) => ({
      from: path,
      specifier,
      at: `${path}:${line}`,
    })),
  );
}

function relativeImports(files: readonly SourceFile[]): (ImportEdge & { to: string })[] {
  return allImports(files)
    .filter((one) => one.specifier.startsWith('.'))
    .map((one) => ({ ...one, to: resolve(one.from, one.specifier) }));
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier);
}

function leavesPackage(from: string, specifier: string, at: string): string[] {
  const home = `packages/${packageOf(from)}/src/`;
  return resolve(from, specifier).startsWith(home) ? [] : [`${at} leaves ${home} by a path`];
}

/** The folder, or the file at the top, of packages/protocol/src that a path is in. */
function layerOf(path: string): string | undefined {
  return /^packages\/protocol\/src\/([^/]+)/.exec(path)?.[1];
}

function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(path)?.[1];
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function isGuest(specifier: string): boolean {
  return Object.values(GUESTS).some(({ entries }) => entries.includes(specifier));
}

function isOurs(specifier: string): boolean {
  return packageName(specifier) === 'tickwire' || specifier.startsWith('@tickwire/');
}
