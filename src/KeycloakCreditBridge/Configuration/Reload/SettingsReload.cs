using System.Reflection;
using System.Runtime.InteropServices;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>
/// Uses what changes in the files of settings, without a restart. It reads them each second, and at once on SIGHUP. All hot settings that
/// changed are used together, or none of them: what would stop a start is refused, and so is a change that needs a restart to be right.
/// </summary>
/// <remarks>
/// It compares texts and not times: a file behind a symbolic link, as Kubernetes mounts it, is replaced without a new time of its own.
/// </remarks>
internal sealed partial class SettingsReload(
    IConfiguration configuration, CurrentSettings settings, HotKeys hot, TimeProvider clock, ILogger<SettingsReload> logger)
    : BackgroundService
{
    private const int MaxChangesInLine = 100;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    private string?[] _seen = [];
    private string?[] _handled = [];
    private string _waiting = "";
    private bool _isUnread;

    /// <summary>How the last reading of the files ended.</summary>
    public ReloadStatus Status { get; private set; } = new(clock.GetUtcNow(), null, []);

    private SettingsFile[] Files => configuration is IConfigurationRoot root ? [.. root.Providers.OfType<SettingsFile>()] : [];

    /// <summary>
    /// Reads the files now, and uses what changed. It never fails: what is wrong is logged, and the settings in use stay.
    /// </summary>
    /// <param name="atOnce">Whether a text is used that was not there a second ago: it may be half written.</param>
    public void Read(bool atOnce)
    {
        lock (settings.Gate)
        {
            var problems = TryRead(atOnce);
            if (problems is null)
                return;
            var problem = problems.Count == 0 ? null : string.Join(" ", problems);
            if (problem is not null && (atOnce || problem != Status.Problem))
                LogRefused(problem);
            Status = Status with { Problem = problem };
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            Read(atOnce: true);
        });
        using var timer = new PeriodicTimer(CheckInterval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Read(atOnce: false);
    }

    // What is wrong with the files; null where nothing changed in them.
    private IReadOnlyList<string>? TryRead(bool atOnce)
    {
        try
        {
            var files = Files;
            string?[] texts = [.. files.Select(file => file.Read())];
            if (_handled.Length != files.Length)
                _handled = [.. files.Select(file => file.Text)];
            var (isNew, isWritten) = (_isUnread || !texts.SequenceEqual(_handled), texts.SequenceEqual(_seen));
            _seen = texts;
            if (!atOnce && !(isNew && isWritten))
                return null;
            (_handled, _isUnread) = (texts, false);
            return Use(files, texts);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            _isUnread = exception is IOException or UnauthorizedAccessException;
            // Reflection wraps the error of a rule.
            var problem = exception is TargetInvocationException ? exception.GetBaseException() : exception;
            return [problem.Message.ReplaceLineEndings(" ")];
        }
    }

    private IReadOnlyList<string> Use(SettingsFile[] files, string?[] texts)
    {
        var missing = files.Where((file, index) => file.Text is not null && texts[index] is null).Select(file => file.Path).ToList();
        if (missing.Count > 0)
            return [$"{string.Join(", ", missing)} is not there any more: put it back, or restart the bridge without it."];
        var read = files.Zip(texts, (file, text) => (file, Values: file.Parse(text))).ToDictionary(item => item.file, item => item.Values);
        var asStarted = Merge(read);
        if (settings.Prepare(asStarted).Problems() is { Count: > 0 } problems)
            return problems;

        var used = read.ToDictionary(item => item.Key, item => hot.Replace(item.Key.AtStart, item.Value));
        var values = Merge(used);
        var waiting = asStarted.Keys.Union(values.Keys, StringComparer.OrdinalIgnoreCase)
            .Where(key => !hot.IsHot(key) && asStarted.GetValueOrDefault(key) != values.GetValueOrDefault(key)).Order().ToList();
        var version = settings.Prepare(values);
        // Such as rules of a realm that is watched only after a restart.
        if (version.Problems() is { Count: > 0 } conflicts)
            return [$"The change needs a restart, because {string.Join(", ", waiting)} changed too.", .. conflicts];

        var (before, after) = (settings.Version.Values(), version.Values());
        settings.Use(version);
        for (var index = 0; index < files.Length; index++)
            files[index].Use(texts[index], used[files[index]]);
        Status = new(clock.GetUtcNow(), null, waiting);
        Log(OptionChanges.Between(before, after, hot), waiting);
        return [];
    }

    private void Log(IReadOnlyList<string> changes, List<string> waiting)
    {
        if (changes.Count > 0)
        {
            var more = changes.Count > MaxChangesInLine ? $", and {changes.Count - MaxChangesInLine} more" : "";
            var text = string.Join(", ", changes.Take(MaxChangesInLine)) + more;
            LogChanged(changes.Count, text);
        }

        var names = string.Join(", ", waiting);
        if (names.Length > 0 && names != _waiting)
            LogNeedsRestart(names);
        else if (changes.Count == 0)
            LogUnchanged();
        _waiting = names;
    }

    /// <summary>What all sources together say, a later one winning.</summary>
    private Dictionary<string, string?> Merge(Dictionary<SettingsFile, Dictionary<string, string?>> files)
    {
        var providers = ((IConfigurationRoot)configuration).Providers.Reverse().ToList();
        Dictionary<string, string?> merged = new(StringComparer.OrdinalIgnoreCase);
        foreach (var key in configuration.AsEnumerable().Select(item => item.Key).Concat(files.Values.SelectMany(values => values.Keys)))
        {
            foreach (var provider in providers)
            {
                string? value;
                var isSet = provider is SettingsFile file ? files[file].TryGetValue(key, out value) : provider.TryGet(key, out value);
                if (!isSet)
                    continue;
                // Variables that Kubernetes sets beside the bridge's own, such as KEYCLOAK, are no settings.
                if (provider is not SecretFileProvider || key.Contains(ConfigurationPath.KeyDelimiter, StringComparison.Ordinal))
                    merged[key] = value;
                break;
            }
        }

        return merged;
    }

    [LoggerMessage(EventId = 794, Level = LogLevel.Information,
        Message = "Settings changed ({Count}), for what begins from here on: {Changes}")]
    private partial void LogChanged(int count, string changes);

    [LoggerMessage(EventId = 795, Level = LogLevel.Warning,
        Message = "The changed settings are not used, those before stay: {Problem}")]
    private partial void LogRefused(string problem);

    [LoggerMessage(EventId = 796, Level = LogLevel.Warning,
        Message = "These settings changed and need a restart of the bridge, until then their values at the start stay: {Keys}")]
    private partial void LogNeedsRestart(string keys);

    [LoggerMessage(EventId = 797, Level = LogLevel.Information,
        Message = "The settings were read again; none differs from what is used.")]
    private partial void LogUnchanged();
}

/// <summary>How the last reading of the settings' files ended.</summary>
/// <param name="UsedAt">When the settings in use were read.</param>
/// <param name="Problem">Why a later reading was refused; null when none was.</param>
/// <param name="Waiting">Keys that changed and need a restart.</param>
internal sealed record ReloadStatus(DateTimeOffset UsedAt, string? Problem, IReadOnlyList<string> Waiting);
