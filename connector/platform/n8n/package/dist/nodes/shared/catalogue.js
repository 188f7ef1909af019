"use strict";
var __importDefault = (this && this.__importDefault) || function (mod) {
    return (mod && mod.__esModule) ? mod : { "default": mod };
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.failures = exports.triggers = exports.actions = exports.connector = void 0;
const catalogue_json_1 = __importDefault(require("./catalogue.json"));
exports.connector = catalogue_json_1.default.connector;
exports.actions = catalogue_json_1.default.actions;
exports.triggers = catalogue_json_1.default.triggers;
exports.failures = catalogue_json_1.default.failures;
