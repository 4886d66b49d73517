using System.Collections;
using System.Reflection;
using KeycloakCreditBridge.Configuration.Reload;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration.Secrets;

/// <summary>
/// Uses secrets whose files were replaced, without a restart. They are read each second, and before a secret is used for a new
/// connection or token. A file that is empty, cannot be read or breaks a rule of the settings changes nothing. Refused secrets are tried
/// again each minute.
/// </summary>
/// <remarks>It changes the settings' objects in place, so that every room sees the new secret at the next use.</remarks>
internal sealed partial class SecretRotation(
    IConfiguration configuration, IServiceProvider services, TimeProvider clock, ILogger<SecretRotation> logger,
    CurrentSettings? settings = null) : BackgroundService
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = settings?.Gate ?? new();
    private readonly HashSet<string> _reported = new(StringComparer.Ordinal);
    private Dictionary<string, string> _refused = [];
    private DateTimeOffset _retryAt;
    private string? _failure;

    /// <summary>Reads the files now, and uses what changed. It never fails: what is wrong is logged, and the old secrets stay.</summary>
    public void Refresh()
    {
        if (configuration is not IConfigurationRoot root)
            return;
        lock (_gate)
        {
            try
            {
                foreach (var provider in root.Providers.OfType<SecretFileProvider>())
                    Refresh(provider);
                _failure = null;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                // Reflection wraps the error of a rule.
                var failure = exception.GetBaseException().Message;
                if (failure != _failure)
                    LogFailed(failure);
                _failure = failure;
            }
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
        if (changed.Count == 0)
            _refused = [];
        if (changed.Count == 0 || (IsRefused(changed) && clock.GetUtcNow() < _retryAt))
            return;

        // What is wrong already, such as a file of another setting that is being written, is no fault of these secrets.
        var known = ConfigurationCheck.Problems(services).ToHashSet(StringComparer.Ordinal);
        // One by one only where they are refused together: some may be good only with others.
        if (TryUse(provider, changed, known).Count == 0)
            return;
        var broken = UseEach(provider, changed, known, out var left);
        if (left.Count > 0 && !IsRefused(left))
            LogRefused(string.Join(", ", left.Keys), string.Join(" ", broken));
        (_refused, _retryAt) = (left, clock.GetUtcNow() + RetryInterval);
    }

    private bool IsRefused(Dictionary<string, string> secrets) =>
        secrets.Count == _refused.Count && secrets.All(item => _refused.GetValueOrDefault(item.Key) == item.Value);

    // Again for as long as one was taken, as another may need it. Returns what is wrong with those that are left.
    private HashSet<string> UseEach(
        SecretFileProvider provider, Dictionary<string, string> secrets, HashSet<string> known, out Dictionary<string, string> left)
    {
        left = new(secrets, StringComparer.OrdinalIgnoreCase);
        HashSet<string> broken = new(StringComparer.Ordinal);
        int count;
        do
        {
            count = left.Count;
            broken.Clear();
            foreach (var (key, value) in left.ToList())
            {
                var problems = TryUse(provider, new(StringComparer.OrdinalIgnoreCase) { [key] = value }, known);
                if (problems.Count == 0)
                    left.Remove(key);
                broken.UnionWith(problems);
            }
        }
        while (left.Count > 0 && left.Count < count);
        return broken;
    }

    // Returns what is wrong with them; then the old ones stay.
    private List<string> TryUse(SecretFileProvider provider, Dictionary<string, string> secrets, HashSet<string> known)
    {
        var before = provider.Use(secrets);
        List<string> broken;
        try
        {
            broken = [.. ConfigurationCheck.Problems(services).Where(problem => !known.Contains(problem))];
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            broken = [exception.GetBaseException().Message];
        }

        if (broken.Count > 0)
        {
            provider.Use(before);
            return broken;
        }

        foreach (var key in secrets.Keys)
        {
            Apply(key);
            LogReplaced(key);
        }

        settings?.Renew(configuration);
        return broken;
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

    [LoggerMessage(EventId = 793, Level = LogLevel.Warning,
        Message = "The files of secrets cannot be checked, the old secrets stay: {Problem}")]
    private partial void LogFailed(string problem);
}
