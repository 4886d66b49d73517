using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Logging;
using Serilog.Filters;
using Serilog.Formatting.Json;

namespace KeycloakCreditBridge.Configuration;

internal static class LogsModule
{
    private const int HostingFailedToStart = 11;

    /// <summary>Sends all logging to Serilog's console, with a logger of this host's own.</summary>
    public static void AddLogs(this IHostApplicationBuilder builder)
    {
        builder.AddSection<LogOptions, LogOptionsValidator>(LogOptions.Section);
        builder.Services.TryAddSingleton(LogTarget.Service);
        builder.Logging.ClearProviders();
        // Serilog's levels decide, not two sets of them.
        builder.Logging.SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<LogLevelFilter>();
        builder.Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(
            services => services.GetRequiredService<LogLevelFilter>());
        builder.Services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(
            services => services.GetRequiredService<LogLevelFilter>());
        builder.Services.AddSingleton<ILoggerProvider>(services => new SerilogLoggerProvider(
            Create(services.GetRequiredService<IConfiguration>(), services.GetRequiredService<LogTarget>()), dispose: true));
    }

    /// <summary>What is wrong with Serilog's section; null when it can be used.</summary>
    public static string? Problem(IConfiguration configuration)
    {
        try
        {
            using var logger = new LoggerConfiguration().ReadFrom.Configuration(configuration).CreateLogger();
            return null;
        }
        catch (Exception exception) when (exception is InvalidOperationException or FormatException or ArgumentException)
        {
            return $"Serilog: {exception.Message.ReplaceLineEndings(" ")}";
        }
    }

    private static Logger Create(IConfiguration configuration, LogTarget target)
    {
        var refusals = new LogPace(TimeProvider.System);
        var logs = new LoggerConfiguration()
            .MinimumLevel.Verbose()
            .Enrich.With(new EventNumber())
            .Filter.ByExcluding(IsReportedElsewhere)
            // A line for each connection beyond Api:MaxConnections.
            .Filter.ByExcluding(line => IsOfConnection(line) && !refusals.IsDue());
        // A host with a wrong section is about to be refused with all that is wrong: until then the defaults do.
        if (Problem(configuration) is null)
            logs.ReadFrom.Configuration(WithoutLevels(configuration));

        var atLeast = LevelConvert.ToSerilogLevel(target.AtLeast);
        LogEventLevel? errorFrom = target.ToStandardError ? LogEventLevel.Verbose : null;
        if (IsJson(configuration))
            logs.WriteTo.Console(new JsonFormatter(renderMessage: true), atLeast, standardErrorFromLevel: errorFrom);
        else
            logs.WriteTo.Console(new LineFormatter(), atLeast, standardErrorFromLevel: errorFrom);
        return logs.CreateLogger();
    }

    // LogLevels has them.
    private static IConfigurationRoot WithoutLevels(IConfiguration configuration) => new ConfigurationBuilder()
        .AddInMemoryCollection(configuration.AsEnumerable().Where(
            item => !item.Key.StartsWith(LogLevels.Section, StringComparison.OrdinalIgnoreCase)))
        .Build();

    // The command line reports in one line why a start failed; the host would add a stack trace, and each cancellation that follows.
    private static bool IsReportedElsewhere(LogEvent line) =>
        Matching.FromSource("Microsoft.Extensions.Hosting.Internal.Host")(line)
        && (EventNumber.Of(line) == HostingFailedToStart || line.Exception is OperationCanceledException);

    private static bool IsOfConnection(LogEvent line) => Matching.FromSource("Microsoft.AspNetCore.Server.Kestrel.Connections")(line);

    private static bool IsJson(IConfiguration configuration) => string.Equals(
        configuration[$"{LogOptions.Section}:{nameof(LogOptions.Format)}"], nameof(LogFormat.Json), StringComparison.OrdinalIgnoreCase);

    /// <summary>The number of an event id, which Serilog holds as a structure, for readable lines.</summary>
    private sealed class EventNumber : ILogEventEnricher
    {
        public static int? Of(LogEvent line) =>
            line.Properties.GetValueOrDefault("EventId") is StructureValue id
            && id.Properties.FirstOrDefault(property => property.Name == "Id")?.Value is ScalarValue { Value: int number }
                ? number
                : null;

        public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
        {
            if (Of(logEvent) is { } number)
                logEvent.AddPropertyIfAbsent(new LogEventProperty(nameof(EventNumber), new ScalarValue(number)));
        }
    }
}
