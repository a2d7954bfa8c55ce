// Runs one child process: signals are forwarded, and its end becomes ours.
import { spawn } from 'node:child_process';

/** @typedef {{ code: number, signal: NodeJS.Signals | null }} End how a child ended */
/** @typedef {{ cwd?: string, env?: NodeJS.ProcessEnv, quiet?: boolean }} ChildOptions */

const FORWARDED = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
// A terminal or a process group may have signalled the child already, and npm sends us the same signal
// again: so one is passed on, to a child that lives on after this long.
const FORWARD_AFTER_MS = 200;
// A package manager that dies by a signal takes its shell along but not us: we would be orphans.
const PARENT_CHECK_MS = 250;
const parent = process.ppid;
const OUTPUT_MAX_CHARS = 1_000_000;

/**
 * Resolves when the child has ended. `quiet` keeps its output back and shows it, on stderr, only
 * if it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<End>}
 */
export function runChild(command, args, { quiet = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    /** @type {import('node:child_process').StdioOptions} */
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    // On Windows npm and npx are command files, which only a shell starts.
    const shell = process.platform === 'win32' && command !== process.execPath;
    const child = spawn(command, args, { ...options, stdio, shell });
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-OUTPUT_MAX_CHARS);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const stop = forwardSignals(child);
    child.once('error', (error) => {
      stop();
      reject(error);
    });
    child.once('close', (code, signal) => {
      stop();
      const failed = code !== 0 || signal !== null;
      if (quiet && failed) process.stderr.write(output);
      resolve({ code: code ?? 1, signal });
    });
  });
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void} lets go of the signals again
 */
function forwardSignals(child) {
  /** @type {Map<NodeJS.Signals, NodeJS.Timeout>} */
  const pending = new Map();
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    if (pending.has(signal)) return;
    const pass = () => {
      pending.delete(signal);
      child.kill(signal);
    };
    pending.set(signal, setTimeout(pass, FORWARD_AFTER_MS));
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event && process.ppid !== parent) forward('SIGTERM');
  }, PARENT_CHECK_MS);
  return () => {
    clearInterval(watch);
    for (const timer of pending.values()) clearTimeout(timer);
    for (const signal of FORWARDED) process.removeListener(signal, forward);
  };
}

/**
 * Ends this process as the child ended: by its exit code, or by its signal.
 * @param {End} end
 */
export function endLike({ code, signal }) {
  process.exitCode = code;
  if (signal !== null) process.kill(process.pid, signal);
}
