using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>
/// All settings as they are at one moment. A decision takes one version and reads all that it needs from it, so that it is made by the old
/// settings or by the new ones, and never by some of each.
/// </summary>
internal sealed class SettingsVersion
{
    private readonly IServiceProvider _services;
    private string? _hash;

    /// <param name="services">Options of this version, and what is made of them.</param>
    /// <param name="number">1 at the start.</param>
    public SettingsVersion(IServiceProvider services, int number) => (_services, Number) = (services, number);

    public int Number { get; }

    /// <summary>Options of a section, or what <see cref="ConfigurationModule.AddHot{T}"/> makes of them.</summary>
    public T Get<T>()
        where T : class => (T)Get(typeof(T));

    public object Get(Type type) => _services.GetRequiredService(type);

    /// <summary>What is wrong with it, as the check of a start says it.</summary>
    public IReadOnlyList<string> Problems() => ConfigurationCheck.Problems(_services);

    /// <summary>The same for two replicas with the same settings, whatever is a secret or a replica's own.</summary>
    public string Hash(HotKeys keys) => _hash ??= Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', Values()
        .Where(item => !keys.IsOfReplica(item.Key)).OrderBy(item => item.Key, StringComparer.Ordinal)
        .Select(item => $"{item.Key}={item.Value}")))).AsSpan(0, 8));

    /// <summary>Every value of the options by its key, defaults included.</summary>
    public FrozenDictionary<string, string> Values() => OptionValues.Of(_services);
}
