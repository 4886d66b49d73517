using System.Collections;
using System.Reflection;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration.Secrets;

/// <summary>
/// Uses secrets whose files were replaced, without a restart. They are read each second, and before a secret is used for a new
/// connection or token. A file that is empty, cannot be read or breaks a rule of the settings changes nothing.
/// </summary>
/// <remarks>It changes the settings' objects in place, so that every room sees the new secret at the next use.</remarks>
internal sealed partial class SecretRotation(
    IConfiguration configuration, IServiceProvider services, TimeProvider clock, ILogger<SecretRotation> logger) : BackgroundService
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _refused = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _reported = new(StringComparer.Ordinal);

    /// <summary>Reads the files now, and uses what changed.</summary>
    public void Refresh()
    {
        if (configuration is not IConfigurationRoot root)
            return;
        lock (_gate)
        {
            foreach (var provider in root.Providers.OfType<SecretFileProvider>())
                Refresh(provider);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(CheckInterval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Refresh();
    }

    private void Refresh(SecretFileProvider provider)
    {
        var changed = provider.Changed(out var problems);
        foreach (var problem in problems.Where(_reported.Add))
            LogUnreadable(problem);
        if (problems.Count == 0)
            _reported.Clear();
        foreach (var (key, _) in changed.Where(item => _refused.GetValueOrDefault(item.Key) == item.Value).ToList())
            changed.Remove(key);
        if (changed.Count == 0)
            return;

        var before = provider.Use(changed);
        if (ConfigurationCheck.Problems(services) is { Count: > 0 } broken)
        {
            provider.Use(before);
            foreach (var (key, value) in changed)
                _refused[key] = value;
            LogRefused(string.Join(", ", changed.Keys), string.Join(" ", broken));
            return;
        }

        foreach (var key in changed.Keys)
        {
            _refused.Remove(key);
            Apply(key);
            LogReplaced(key);
        }
    }

    // What wins over the file, such as the command line, stays.
    private void Apply(string key)
    {
        var section = services.GetServices<BoundSection>()
            .Where(bound => key.StartsWith(bound.Name + ConfigurationPath.KeyDelimiter, StringComparison.OrdinalIgnoreCase))
            .MaxBy(bound => bound.Name.Length);
        if (section is null || configuration[key] is not { } value)
            return;
        var options = services.GetRequiredService(typeof(IOptions<>).MakeGenericType(section.Type));
        var instance = options.GetType().GetProperty(nameof(IOptions<>.Value))!.GetValue(options)!;
        Set(instance, configuration.GetSection(section.Name), key[(section.Name.Length + 1)..].Split(':'), value);
    }

    private static void Set(object target, IConfigurationSection section, string[] path, string value)
    {
        const BindingFlags Flags = BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance;
        if (target.GetType().GetProperty(path[0], Flags) is not { } property)
            return;
        var children = section.GetSection(path[0]);
        switch (property.GetValue(target))
        {
            case null or string when path.Length == 1:
                property.SetValue(target, value);
                break;
            case List<string> list when path.Length == 2 && IndexOf(children, path[1]) is var index && index < list.Count:
                // A copy: the list may be read at this moment.
                property.SetValue(target, list.Select((item, place) => place == index ? value : item).ToList());
                break;
            case IList list when path.Length > 2 && IndexOf(children, path[1]) is var index && index < list.Count
                && list[index] is { } item:
                Set(item, children.GetSection(path[1]), path[2..], value);
                break;
            case IDictionary items when path.Length > 2 && items[path[1]] is { } item:
                Set(item, children.GetSection(path[1]), path[2..], value);
                break;
            case { } inner and not string and not IEnumerable when path.Length > 1:
                Set(inner, children, path[1..], value);
                break;
        }
    }

    // The binder fills a list in the order of the keys, whatever numbers they are.
    private static int IndexOf(IConfigurationSection list, string key) =>
        list.GetChildren().TakeWhile(child => !child.Key.Equals(key, StringComparison.OrdinalIgnoreCase)).Count();

    [LoggerMessage(EventId = 790, Level = LogLevel.Information,
        Message = "The file of {Key} has a new secret, which is used for what begins now.")]
    private partial void LogReplaced(string key);

    [LoggerMessage(EventId = 791, Level = LogLevel.Warning,
        Message = "New secrets of {Keys} are not used, the old ones stay: {Problem}")]
    private partial void LogRefused(string keys, string problem);

    [LoggerMessage(EventId = 792, Level = LogLevel.Warning, Message = "A file of a secret cannot be read, the old secret stays: {Problem}")]
    private partial void LogUnreadable(string problem);
}
