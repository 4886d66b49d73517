namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>Holds the version of the settings that is in use.</summary>
internal sealed class CurrentSettings(IServiceProvider services, IEnumerable<SettingsPart> parts)
{
    private readonly SettingsPart[] _parts = [.. parts];
    private volatile SettingsVersion? _version;

    /// <summary>After another version came into use.</summary>
    public event Action? Changed;

    /// <summary>Held by what changes the settings.</summary>
    public Lock Gate { get; } = new();

    public SettingsVersion Version => _version ?? Interlocked.CompareExchange(ref _version, AtStart(), null) ?? _version;

    /// <summary>Makes a version that nothing uses yet.</summary>
    /// <param name="values">All that its sources say.</param>
    public SettingsVersion Prepare(IEnumerable<KeyValuePair<string, string?>> values)
    {
        var own = new ServiceCollection();
        own.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(values).Build());
        foreach (var part in _parts)
            part.Add(own);
        return new SettingsVersion(own.BuildServiceProvider(), Version.Number + 1);
    }

    /// <summary>Takes a version into use. What was begun with the earlier one ends with it.</summary>
    /// <exception cref="Exception">A room cannot be made of it: the earlier version stays.</exception>
    public void Use(SettingsVersion version)
    {
        foreach (var part in _parts)
            version.Get(part.Type);
        _version = version;
        Changed?.Invoke();
    }

    /// <summary>Takes the configuration as it is into use, after a secret of it was replaced.</summary>
    public void Renew(IConfiguration configuration) => Use(Prepare(configuration.AsEnumerable()));

    // The options of the host itself: a section that is not used is not bound, and a secret that is replaced in them is seen here too.
    private SettingsVersion AtStart()
    {
        var own = new ServiceCollection();
        own.AddSingleton(services.GetRequiredService<IConfiguration>());
        foreach (var part in _parts)
            part.AddFrom(services, own);
        return new SettingsVersion(own.BuildServiceProvider(), 1);
    }
}

/// <summary>A section, or what is made of sections, in each version of the settings.</summary>
/// <param name="Type">What <see cref="SettingsVersion.Get{T}"/> gives.</param>
/// <param name="Add">Registers it in a version that is made while the program runs.</param>
/// <param name="AddFrom">Registers it in the first version, from the services of the host.</param>
internal sealed record SettingsPart(
    Type Type, Action<IServiceCollection> Add, Action<IServiceProvider, IServiceCollection> AddFrom);

/// <summary>
/// Settings that change while the program runs, or what is made of them. Take <see cref="Current"/> once in each decision, and give it to
/// all that the decision calls.
/// </summary>
internal sealed class Hot<T>(CurrentSettings settings)
    where T : class
{
    private volatile Made? _made;

    /// <summary>The value of the version in use.</summary>
    public T Current
    {
        get
        {
            var version = settings.Version;
            if (_made is { } made && made.Version == version)
                return made.Value;
            var value = version.Get<T>();
            _made = new Made(version, value);
            return value;
        }
    }

    private sealed record Made(SettingsVersion Version, T Value);
}

/// <summary>Settings that never change, for what is made outside a host.</summary>
internal static class Hot
{
    public static Hot<T> Of<T>(T value)
        where T : class => new(new CurrentSettings(
            new ServiceCollection().AddSingleton<IConfiguration>(new ConfigurationBuilder().Build()).BuildServiceProvider(),
            [new SettingsPart(typeof(T), _ => { }, (_, own) => own.AddSingleton(value))]));
}
