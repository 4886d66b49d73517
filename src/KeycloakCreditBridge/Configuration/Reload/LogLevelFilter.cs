using KeycloakCreditBridge.Configuration.Logs;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>Has the levels of the version of the settings in use filter the log.</summary>
internal sealed class LogLevelFilter : IConfigureOptions<LoggerFilterOptions>, IOptionsChangeTokenSource<LoggerFilterOptions>, IDisposable
{
    private readonly CurrentSettings _settings;
    private CancellationTokenSource _changed = new();

    public LogLevelFilter(CurrentSettings settings)
    {
        _settings = settings;
        settings.Changed += Refresh;
    }

    public string Name => Options.DefaultName;

    public void Configure(LoggerFilterOptions options)
    {
        foreach (var rule in LogLevels.Rules(_settings.Version.Get<IConfiguration>()))
            options.Rules.Add(rule);
    }

    public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

    public void Dispose()
    {
        _settings.Changed -= Refresh;
        _changed.Dispose();
    }

    private void Refresh() => Interlocked.Exchange(ref _changed, new CancellationTokenSource()).Cancel();
}
