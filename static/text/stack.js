// @ts-check
// Stack traces: which lines belong to the line before them.

const FRAME =
  /^(?:\s+\S|Caused by: |Traceback \(most recent|During handling of|The above exception|goroutine \d+ \[|\[signal |stack backtrace:|note: run with|(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)\b|\w*(?:Exception|Error): |[})\]]+[;,]?\s*$)/;

/** Whether a line that tells neither time nor level goes on with the one before it. @param {string} text */
export const isContinuation = (text) => FRAME.test(text.length > 400 ? text.slice(0, 400) : text);
