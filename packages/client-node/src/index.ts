// '@tickwire/client-node': the client, and so the bot, over UDP.
export { Client, type ConnectOptions, connect } from './connect.ts';
export * from './core.ts';
