using System.Net.Sockets;
using Npgsql;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>
/// Quartz's log lines. While PostgreSQL is away Quartz reports each of its attempts with a stack: one line a minute says it.
/// </summary>
internal sealed partial class QuartzLogs(ILoggerFactory logs, TimeProvider clock) : ILoggerFactory
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMinutes(1);

    private readonly ILogger _own = logs.CreateLogger<QuartzLogs>();
    private readonly Lock _gate = new();
    private long? _reportedAt;

    public ILogger CreateLogger(string categoryName) => new Filter(this, logs.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => logs.AddProvider(provider);

    // The program's own factory lives longer.
    public void Dispose()
    {
    }

    private void Report(Exception outage)
    {
        lock (_gate)
        {
            if (_reportedAt is { } last && clock.GetElapsedTime(last) < ReportEvery)
                return;
            _reportedAt = clock.GetTimestamp();
        }

        LogOutage(_own, outage.Message.ReplaceLineEndings(" "));
    }

    // The exception that says PostgreSQL is away, wherever Quartz wrapped it; null for any other.
    private static Exception? OutageIn(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            var isOutage = exception switch
            {
                PostgresException { SqlState: var state } => state.StartsWith("08", StringComparison.Ordinal)
                    || state.StartsWith("57P", StringComparison.Ordinal) || state.StartsWith("53", StringComparison.Ordinal),
                NpgsqlException or SocketException => true,
                _ => false,
            };
            if (isOutage)
                return exception;
        }

        return null;
    }

    [LoggerMessage(EventId = 723, Level = LogLevel.Warning,
        Message = "The schedule waits for PostgreSQL and continues by itself: {Reason}")]
    private static partial void LogOutage(ILogger logger, string reason);

    private sealed class Filter(QuartzLogs owner, ILogger inner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning && OutageIn(exception) is { } outage)
                owner.Report(outage);
            else
                inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
