using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Configuration.Secrets;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration;

/// <summary>Where settings come from and how each feature claims its section.</summary>
internal static class ConfigurationModule
{
    /// <summary>Has the environment name files of secrets too. They win over appsettings.json, and the command line over them.</summary>
    /// <exception cref="ConfigurationException">A file cannot be read.</exception>
    public static void AddSecretFiles(this IHostApplicationBuilder builder)
    {
        var sources = builder.Configuration.Sources;
        var environment = sources.OfType<EnvironmentVariablesConfigurationSource>().Last(source => string.IsNullOrEmpty(source.Prefix));
        sources[sources.IndexOf(environment)] = new SecretFileSource();
        builder.Services.AddHostedService(services => services.GetRequiredService<SecretRotation>());
    }

    /// <summary>Uses what changes in the files of settings, see <see cref="SettingsReload"/>.</summary>
    public static void AddReload(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HotKeys>();
        builder.Services.AddSingleton<CurrentSettings>();
        builder.Services.AddSingleton(typeof(Hot<>));
        builder.Services.AddSingleton<SettingsReload>();
        builder.Services.AddHostedService(services => services.GetRequiredService<SettingsReload>());
    }

    /// <summary>Binds a section to its options, validated when the host starts and before each change of the settings.</summary>
    public static void AddSection<TOptions, TValidator>(this IHostApplicationBuilder builder, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        Add(builder.Services);
        builder.Services.AddOptions<TOptions>().ValidateOnStart();
        builder.Services.AddSingleton(new SettingsPart(
            typeof(TOptions),
            own => Add(own).AddSingleton(version => version.GetRequiredService<IOptions<TOptions>>().Value),
            (services, own) => own
                .AddSingleton(new BoundSection(section, typeof(TOptions)))
                .AddSingleton(_ => services.GetRequiredService<IOptions<TOptions>>())
                .AddSingleton(_ => services.GetRequiredService<IOptions<TOptions>>().Value)));

        IServiceCollection Add(IServiceCollection services)
        {
            services.AddSingleton(new BoundSection(section, typeof(TOptions)));
            services.AddSingleton<IValidateOptions<TOptions>, TValidator>();
            services.AddOptions<TOptions>().BindConfiguration(section);
            return services;
        }
    }

    /// <summary>One more rule for options of another room.</summary>
    public static void AddRule<TOptions, TValidator>(this IHostApplicationBuilder builder)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        builder.Services.AddSingleton<IValidateOptions<TOptions>, TValidator>();
        builder.Services.AddSingleton(new SettingsPart(
            typeof(IOptions<TOptions>), own => own.AddSingleton<IValidateOptions<TOptions>, TValidator>(), (_, _) => { }));
    }

    /// <summary>
    /// Has an object made of each version of the settings, for <see cref="Hot{T}"/>. Its constructor takes options, as
    /// <see cref="IOptions{T}"/>, and other such objects: nothing else changes with the settings.
    /// </summary>
    public static void AddHot<T>(this IHostApplicationBuilder builder)
        where T : class =>
        builder.Services.AddSingleton(new SettingsPart(
            typeof(T), own => own.TryAddSingleton<T>(), (_, own) => own.TryAddSingleton<T>()));
}

/// <summary>A section of the configuration and the type it is bound to.</summary>
internal sealed record BoundSection(string Name, Type Type);
