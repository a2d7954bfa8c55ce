import { createMessageChannel } from '../src/transport/delivery.ts';
import { describeChannel } from './channel-contract.ts';

describeChannel('unreliable', { reliable: false, ordered: false, create: createMessageChannel });
describeChannel('unreliable-sequenced', {
  reliable: false,
  ordered: true,
  create: createMessageChannel,
});
describeChannel('reliable-unordered', {
  reliable: true,
  ordered: false,
  create: createMessageChannel,
});
describeChannel('reliable-ordered', {
  reliable: true,
  ordered: true,
  create: createMessageChannel,
});
