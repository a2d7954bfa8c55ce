// '@tickwire/protocol/udp': the only place in the protocol that opens sockets, reads clocks and sets timers.
export type {
  DatagramSink,
  DatagramSocket,
  SocketAddress,
  SocketStatistics,
} from './datagram-socket.ts';
export { openSocket, type SocketOptions } from './dgram-socket.ts';
export { type DriverOptions, MachineDriver } from './machine-driver.ts';
export { nodeCrypto } from './node-crypto.ts';
export { checkOptions, checkWhole, type OptionNames, tuningNames } from './shell-options.ts';
