import { describe } from "vitest";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { testFront } from "./front.suite.ts";

describe("the seam served natively", () => testFront(createNativeFront));
