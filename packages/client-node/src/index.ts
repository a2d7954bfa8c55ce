// '@tickwire/client-node': the client, and so the bot, over UDP.
export {
  Client,
  ConnectedClient,
  type ConnectOptions,
  connect,
  type GameConnectOptions,
  type MessageConnectOptions,
  type MessagingClient,
} from './connect.ts';
export * from './core.ts';
