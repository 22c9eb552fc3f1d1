// An RP2040 with both cores: `rp2040js` emulates one, and this program puts the second one around it. Beyond `rp2040js`:
//
// * core 1 has registers, private peripherals, a divider and a number of its own; the spin locks are common to both cores;
// * the FIFO between the cores, and the start of core 1 by it (RP2040 datasheet, section 2.8.2), without a boot ROM;
// * `WFE` sleeps until an event or an interrupt, and `SEV` sends the event to both cores;
// * semihosting, of which the program's output and end come.
//
// The core whose time is behind takes the next step. So each run of a program is the same.
//
//     node emulator.mjs FIRMWARE.elf SECONDS [--recording FILE.csv] [--without-sev-after MILLISECONDS]
//
// SECONDS are those of the chip. The output of the first serial port and of semihosting goes to standard output, after
// that a line of measurements, which begins with `#`. The exit status is that of the firmware, or 2 if it has not ended.

import fs from 'node:fs';
import { createRequire } from 'node:module';

// Beside this file, by `npm ci`, or where `NODE_PATH` says.
const { RP2040 } = createRequire(import.meta.url)('rp2040js');

const [firmware, seconds, ...options] = process.argv.slice(2);
const option = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : undefined);
const end = Number(seconds) * 1e9;
const endOfSev = Number(option('--without-sev-after') ?? Infinity) * 1e6;

const chip = new RP2040();
chip.logger = { debug() {}, info() {}, warn() {}, error: (from, text) => console.error(`${from}: ${text}`) };
// Each jump into the boot ROM is a fault.
chip.loadBootrom(new Uint32Array(4096).fill(0xdeaddead));

// Counts for each core.
const count = { instructions: [0, 0], wfe: [0, 0], slept: [0, 0], sev: [0, 0], claims: [0, 0], contended: [0, 0] };

// Two cores.

const cores = [chip.core, new chip.core.constructor(chip)];
const sios = [chip.sio, new chip.sio.constructor(chip)];
const ppbs = [chip.ppb, new chip.ppb.constructor(chip, 'PPB1')];

// Makes this core the one that `rp2040js` runs.
function select(core) {
  chip.core = cores[core];
  chip.sio = sios[core];
  chip.ppb = ppbs[core];
}

for (const name of ['spinLock', 'gpioValue', 'gpioOutputEnable', 'qspiGpioValue', 'qspiGpioOutputEnable']) {
  Object.defineProperty(sios[1], name, {
    get: () => sios[0][name],
    set: (value) => (sios[0][name] = value),
  });
}

// Whether a core is out of reset; its time, in nanoseconds; and whether it sleeps in `WFE`, and not in `WFI`.
const isOn = [true, false];
const time = [0, 0];
const inWfe = [false, false];

function wake(core, now) {
  cores[core].waiting = false;
  time[core] = Math.max(time[core], now);
}

function sendEvent(now) {
  for (const core of [0, 1]) {
    if (cores[core].waiting && inWfe[core]) wake(core, now);
    else cores[core].eventRegistered = true;
  }
}

// The FIFO between the cores, and core 1's wait for its program, which is the boot ROM's.

const FIFO_DEPTH = 8;
// The words that each core is to read.
const fifo = [[], []];
// The sticky bits of the status: a read of an empty FIFO, a write to a full one.
const sticky = [0, 0];
// The words that core 0 has sent to core 1's boot ROM; nothing when core 1 runs its program.
let launch = [];

function sendToBootRom(word) {
  const expected = [0, 0, 1];
  const isExpected = launch.length >= expected.length || word === expected[launch.length];
  launch = isExpected ? [...launch, word] : word === 0 ? [0] : [];
  fifo[0].push(word);
  sendEvent(time[0]);
  if (launch.length < 6) return;
  const core = cores[1];
  core.registers.fill(0);
  [, , , core.VTOR, core.SP, core.PC] = launch;
  core.PC &= ~1;
  core.waiting = false;
  time[1] = time[0];
  isOn[1] = true;
  launch = null;
}

const [CPUID, FIFO_ST, FIFO_WR, FIFO_RD, SPINLOCK_0, SPINLOCK_31] = [0x00, 0x50, 0x54, 0x58, 0x100, 0x17c];

sios.forEach((sio, core) => {
  const [read, write] = [sio.readUint32.bind(sio), sio.writeUint32.bind(sio)];
  const other = 1 - core;
  sio.readUint32 = (offset) => {
    if (offset === CPUID) return core;
    if (offset === FIFO_ST) return (fifo[core].length > 0) | ((fifo[other].length < FIFO_DEPTH) << 1) | sticky[core];
    if (offset === FIFO_RD) {
      if (fifo[core].length > 0) return fifo[core].shift();
      sticky[core] |= 8;
      return 0;
    }
    const value = read(offset);
    if (offset >= SPINLOCK_0 && offset <= SPINLOCK_31) {
      count.claims[core]++;
      if (value === 0) count.contended[core]++;
    }
    return value;
  };
  sio.writeUint32 = (offset, value) => {
    if (offset === FIFO_ST) sticky[core] = 0;
    else if (offset !== FIFO_WR) write(offset, value);
    else if (core === 0 && launch) sendToBootRom(value >>> 0);
    else if (fifo[other].length < FIFO_DEPTH) fifo[other].push(value >>> 0);
    else sticky[core] |= 4;
  };
});

// The power-on state machine holds core 1 in reset, and lets it go into its boot ROM.
const psm = chip.peripherals[0x40010];
const writePsm = psm.writeUint32.bind(psm);
const isHeld = () => ((psm.frceOff >>> 16) & 1) === 1;
psm.writeUint32 = (offset, value) => {
  const before = isHeld();
  writePsm(offset, value);
  if (isHeld()) {
    isOn[1] = false;
  } else if (before) {
    launch = [];
    fifo[1].length = 0;
    // The boot ROM says that it is there.
    fifo[0].push(0);
  }
};

// There is no MPU, and no deep sleep: their registers read as zero.
const isLeftOut = (offset) => offset === 0xd10 || (offset >= 0xd90 && offset <= 0xda0);
for (const ppb of ppbs) {
  const [read, write] = [ppb.readUint32.bind(ppb), ppb.writeUint32.bind(ppb)];
  ppb.readUint32 = (offset) => (isLeftOut(offset) ? 0 : read(offset));
  ppb.writeUint32 = (offset, value) => {
    if (!isLeftOut(offset)) write(offset, value);
  };
}

// The serial port, and the recording at the converter's first input.

const print = (byte) => process.stdout.write(String.fromCharCode(byte));
chip.uart[0].onByte = print;

if (option('--recording')) {
  const lines = fs.readFileSync(option('--recording'), 'utf8').trim().split('\n').slice(1);
  const samples = lines.map((line) => line.split(',').map(Number));
  let next = 0;
  Object.defineProperty(chip.adc.channelValues, 0, {
    get() {
      const milliseconds = chip.clock.nanos / 1e6;
      while (next + 1 < samples.length && samples[next + 1][0] <= milliseconds) next++;
      // The recording has 10 bits, and the converter 12.
      return samples[next][1] * 4;
    },
  });
}

// Breakpoints: semihosting, and the instruction `udf`.

// The exit status, and why, when the program is over.
let over;

function text(address) {
  let string = '';
  for (let byte; (byte = chip.readUint8(address++)) !== 0; ) string += String.fromCharCode(byte);
  return string;
}

function semihosting(operation, argument) {
  const word = (index) => chip.readUint32(argument + 4 * index);
  switch (operation) {
    case 0x01: // open: standard output is 1, standard error is 2
      return text(word(0)) === ':tt' && word(1) >= 8 ? 2 : 1;
    case 0x02: // close
      return 0;
    case 0x03: // write a character
      print(chip.readUint8(argument));
      return 0;
    case 0x04: // write a string
      process.stdout.write(text(argument));
      return 0;
    case 0x05: // write
      for (let index = 0; index < word(2); index++) print(chip.readUint8(word(1) + index));
      return 0;
    case 0x18: // exit
      over = { status: argument === 0x20026 ? 0 : 1, why: 'the firmware ended' };
      return 0;
    case 0x20: // exit with a status
      over = { status: word(1), why: 'the firmware ended' };
      return 0;
    default:
      over = { status: 3, why: `semihosting has no operation ${operation} here` };
      return -1;
  }
}

chip.onBreak = (code) => {
  const { core } = chip;
  const HARD_FAULT = 3;
  if (code === 0) core.exceptionEntry(HARD_FAULT);
  else if (code === 0xab) core.registers[0] = semihosting(core.registers[0], core.registers[1]);
  else over = { status: 3, why: `breakpoint ${code} of core ${cores.indexOf(core)}` };
};

// The firmware, into flash.

const elf = fs.readFileSync(firmware);
const [headers, size, headerCount] = [elf.readUInt32LE(28), elf.readUInt16LE(42), elf.readUInt16LE(44)];
for (let index = 0; index < headerCount; index++) {
  const field = (number) => elf.readUInt32LE(headers + index * size + 4 * number);
  const [type, offset, address, length] = [field(0), field(1), field(3), field(4)];
  const LOAD = 1;
  if (type === LOAD && address >>> 24 === 0x10) {
    chip.flash.set(elf.subarray(offset, offset + length), address & 0xffffff);
  }
}

// The run. Core 0 begins with the second stage of the boot, in flash.

const [WFE, WFI, SEV] = [0xbf20, 0xbf30, 0xbf40];
const NANOSECONDS_A_CYCLE = 8;

// Moves the clock of the peripherals to `now`. Their interrupts are core 0's, and end its sleep.
function passTime(now) {
  select(0);
  chip.clock.tick(now - chip.clock.nanos);
  for (const core of [0, 1]) {
    if (!cores[core].waiting || !cores[core].interruptsUpdated) continue;
    select(core);
    if (cores[core].checkForInterrupts()) wake(core, now);
  }
  select(0);
}

function step(core) {
  select(core);
  const { PC } = cores[core];
  const instruction = chip.readUint16(PC);
  const cycles = cores[core].executeInstruction();
  time[core] += cycles * NANOSECONDS_A_CYCLE;
  count.instructions[core]++;
  if (instruction === WFE && cores[core].PC === PC + 2) {
    count.wfe[core]++;
    inWfe[core] = cores[core].waiting;
    if (inWfe[core]) count.slept[core]++;
  } else if (instruction === WFI) {
    inWfe[core] = false;
  } else if (instruction === SEV && time[core] < endOfSev) {
    count.sev[core]++;
    sendEvent(time[core]);
  }
}

select(0);
cores[0].PC = 0x10000000;
cores[0].SP = 0x20041f00;

while (!over && chip.clock.nanos < end) {
  const runs = (core) => isOn[core] && !cores[core].waiting;
  if (runs(0) || runs(1)) {
    step(runs(1) && !(runs(0) && time[0] <= time[1]) ? 1 : 0);
    // The peripherals' time is that of the slower core.
    const now = Math.min(runs(0) ? time[0] : Infinity, runs(1) ? time[1] : Infinity);
    if (now < Infinity && now > chip.clock.nanos) passTime(now);
  } else if (chip.clock.nanosToNextAlarm > 0) {
    passTime(chip.clock.nanos + chip.clock.nanosToNextAlarm);
    for (const core of [0, 1]) time[core] = Math.max(time[core], chip.clock.nanos);
  } else {
    over = { status: 3, why: 'all cores sleep, and no alarm is set' };
  }
}
over ??= { status: 2, why: 'the time is over' };
const sum = ([first, second]) => first + second;
console.log(
  `# ${over.why} after ${(chip.clock.nanos / 1e9).toFixed(2)} s of the chip; ${sum(count.instructions)} instructions; ` +
    `${count.slept[1]} of core 1's ${count.wfe[1]} WFE slept; ${sum(count.sev)} events sent; ` +
    `${sum(count.contended)} of ${sum(count.claims)} claims of a spin lock contended`,
);
process.exitCode = over.status;
