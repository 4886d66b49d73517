using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests;

/// <summary>Records what is logged, at whatever level.</summary>
internal sealed class LogLines : ILoggerProvider
{
    private readonly ConcurrentQueue<(int Id, string Text)> _lines = new();

    public IReadOnlyList<string> All => [.. _lines.Select(line => line.Text)];

    /// <summary>The event ids of the lines.</summary>
    public IReadOnlyList<int> EventIds => [.. _lines.Select(line => line.Id)];

    /// <summary>Whether a line contains this text.</summary>
    public bool Says(string text) => _lines.Any(line => line.Text.Contains(text, StringComparison.Ordinal));

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _lines);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<(int Id, string Text)> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue((eventId.Id, $"{logLevel} {category} {eventId.Id} {formatter(state, exception)} {state} {exception}"));
    }
}
