using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration;

/// <summary>How log lines look. Which of them are written is Serilog's section: `Serilog:MinimumLevel`.</summary>
[OfReplica]
internal sealed class LogOptions
{
    public const string Section = "Logs";

    /// <summary>Readable lines or one JSON object a line.</summary>
    public LogFormat Format { get; set; } = LogFormat.Text;
}

internal enum LogFormat
{
    Text,
    Json,
}

internal sealed class LogOptionsValidator : IValidateOptions<LogOptions>
{
    public ValidateOptionsResult Validate(string? name, LogOptions options) => Enum.IsDefined(options.Format)
        ? ValidateOptionsResult.Success
        : ValidateOptionsResult.Fail($"Logs:Format is {options.Format}: choose Text or Json.");
}

/// <summary>Where a process writes its log: the service to standard output, a command to standard error beside its result.</summary>
internal sealed record LogTarget(bool ToStandardError, LogLevel AtLeast)
{
    public static readonly LogTarget Service = new(ToStandardError: false, LogLevel.Trace);

    public static readonly LogTarget Command = new(ToStandardError: true, LogLevel.Warning);
}
