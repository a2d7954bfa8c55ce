// '@tickwire/client-node': the client, and so the bot, over UDP.
export {
  type ConnectOptions,
  connect,
  type GameConnectOptions,
  type MessageConnectOptions,
} from './connect.ts';
export { Client, ConnectedClient, type MessagingClient } from './connected-client.ts';
export * from './core.ts';
export type { CredentialOptions } from './credential-options.ts';
