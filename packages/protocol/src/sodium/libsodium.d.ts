// npm libsodium ships no types: what of it is used, by sodium-module.ts alone.
declare module 'libsodium' {
  /** Makes an instance of the module with a memory of its own. The options end up among its members. */
  export default function load(options: { getRandomValue: () => number }): Promise<object>;
}
