// '@tickwire/protocol/udp': the only place in the protocol that opens sockets, reads clocks and sets timers.
export { loadCrypto, type MemoryRange, type PacketMemory, SodiumCrypto } from '../sodium/index.ts';
export type {
  DatagramSink,
  DatagramSocket,
  SocketAddress,
  SocketStatistics,
} from './datagram-socket.ts';
export { openSocket, type SocketOptions } from './dgram-socket.ts';
export { type KeyText, readKey, stretchPassword } from './key-options.ts';
export { type DriverOptions, MachineDriver } from './machine-driver.ts';
export {
  checkNames,
  checkOptions,
  checkWhole,
  type OptionNames,
  tuningNames,
} from './shell-options.ts';
