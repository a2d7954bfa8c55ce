// Makes sure of an install and of a build, and repeats neither while nothing changed.
// All it says goes to stderr: stdout belongs to the command that runs afterwards.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.mjs';

/** The repository's root folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Stamps and reports; goes away with node_modules, so a stamp never outlives what it vouches for. */
export const cacheFolder = join(root, 'node_modules', '.cache', 'tickwire');

const WORKSPACES = ['packages', 'examples', 'benchmarks'];
const NOT_SOURCE = new Set(['node_modules', 'dist', 'coverage']);

/** A step of the bootstrap that failed; it has shown its output already. */
export class StepFailed extends Error {
  /** @param {string} step @param {import('./child.mjs').End} end */
  constructor(step, end) {
    super(`${step} failed`);
    this.end = end;
  }
}

/**
 * Runs the package manager that package.json pins; npx fetches it where it is missing.
 * @param {readonly string[]} args
 * @param {import('./child.mjs').ChildOptions} [options]
 */
export function pnpm(args, options) {
  const { packageManager } = readJson(join(root, 'package.json'));
  const [pin] = String(packageManager).split('+');
  return runChild('npx', ['--yes', `${pin}`, ...args], { cwd: root, ...options });
}

/**
 * The path of the program that an installed package's `bin` names.
 * @param {string} packageName
 * @param {string} [binName] needed where the package has several
 */
export function binOf(packageName, binName) {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = readJson(join(folder, 'package.json'));
  return join(folder, typeof bin === 'string' ? bin : bin[binName ?? packageName]);
}

/** Installs the workspace with the frozen lockfile, unless that has been done. */
export function ensureInstalled() {
  const manifests = WORKSPACES.flatMap((folder) => filesUnder(folder, /^package\.json$/));
  const inputs = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests];
  const platform = `${process.platform} ${process.arch}`;
  return once('install', digest([platform, ...inputs.map(contentLine)]), existsModules(), () =>
    // With CI set, pnpm asks nothing, also where it has to replace node_modules.
    pnpm(['install', '--frozen-lockfile'], { quiet: true, env: { ...process.env, CI: 'true' } }),
  );
}

/**
 * Compiles the workspace, unless its sources are as they were.
 * @param {{ tests: boolean }} what tests: type-check the tests and scripts as well
 */
export async function ensureBuilt({ tests }) {
  const projects = projectPaths();
  const products = projects.filter((path) => path !== 'tests');
  const configs = ['tsconfig.base.json', 'tsconfig.json', 'pnpm-lock.yaml'].map(contentLine);
  const sources = WORKSPACES.flatMap(changeLines);
  const built = products.every((path) => existsSync(join(root, path, 'dist')));
  await once('build', digest([...configs, ...sources]), built, () => compile(products));
  if (!tests) return;
  const checked = digest([...configs, ...sources, ...['tests', 'scripts'].flatMap(changeLines)]);
  await once('type check of the tests', checked, true, () => compile(projects));
}

/** @param {readonly string[]} projects */
function compile(projects) {
  const args = [binOf('typescript', 'tsc'), '-b', ...projects];
  return runChild(process.execPath, args, { cwd: root, quiet: true });
}

/**
 * Installs the packages that only benchmarks compare with; the workspace's install leaves them out. One is an addon,
 * compiled against the headers of this Node where they are on disk; elsewhere it stays unbuilt, and the benchmark
 * says so: nothing is fetched from anywhere but the registry.
 */
export function ensurePeers() {
  const folder = join(root, 'benchmarks', 'peers');
  const inputs = ['benchmarks/peers/package.json', 'benchmarks/peers/package-lock.json'];
  const there = existsSync(join(folder, 'node_modules'));
  const headers = findHeaders();
  const addon = `${process.platform} ${process.arch} ${process.versions.modules} ${headers}`;
  const args = headers === undefined ? ['ci', '--ignore-scripts'] : ['ci'];
  const env = { ...process.env, ...(headers !== undefined && { npm_config_nodedir: headers }) };
  return once(
    'install of the benchmark peers',
    digest([addon, ...inputs.map(contentLine)]),
    there,
    () => runChild('npm', args, { cwd: folder, quiet: true, env }),
  );
}

/**
 * The folder whose include/node holds the headers of the Node that runs this: the one it was installed to, or the one
 * that npm was told of.
 */
function findHeaders() {
  const folders = [dirname(dirname(process.execPath)), process.env.npm_config_nodedir];
  return folders.find((folder) => {
    const header = join(folder ?? '', 'include', 'node', 'node_version.h');
    if (!folder || !existsSync(header)) return false;
    const abi = /^#define NODE_MODULE_VERSION (\d+)/m.exec(readFileSync(header, 'utf8'));
    return abi?.[1] === process.versions.modules;
  });
}

/**
 * Runs a step unless its stamp holds the same state and its result is still there.
 * @param {string} step its name, for people and for the stamp's file
 * @param {string} state digest of all that the step depends on
 * @param {boolean} there whether the step's result stands on disk
 * @param {() => Promise<import('./child.mjs').End>} work
 */
async function once(step, state, there, work) {
  const stamp = join(cacheFolder, `${step.replaceAll(' ', '-')}.stamp`);
  if (there && existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return;
  console.error(`tickwire: ${step} ...`);
  const end = await work();
  if (end.code !== 0 || end.signal !== null) throw new StepFailed(step, end);
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(stamp, state);
}

function existsModules() {
  return existsSync(join(root, 'node_modules', '.modules.yaml'));
}

/** @returns {string[]} */
function projectPaths() {
  const { references } = readJson(join(root, 'tsconfig.json'));
  return references.map((/** @type {{ path: string }} */ reference) => reference.path);
}

/**
 * Paths, from the root, of the files below a folder whose names match.
 * @param {string} folder
 * @param {RegExp} name
 * @returns {string[]}
 */
function filesUnder(folder, name) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : filesUnder(path, name);
    return name.test(entry.name) ? [path] : [];
  });
}

/** @param {string} path */
function contentLine(path) {
  return `${path} ${digest([readFileSync(join(root, path), 'utf8')])}`;
}

/**
 * Size and time of the sources below a folder: cheap, and enough to know that tsc would find nothing new.
 * @param {string} folder
 */
function changeLines(folder) {
  return filesUnder(folder, /\.(ts|mjs|json)$/).map((path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    return `${path} ${size} ${mtimeMs}`;
  });
}

/** @param {readonly string[]} lines */
function digest(lines) {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
