using KeycloakCreditBridge.Configuration.Secrets;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
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

    /// <summary>Binds a section to its options, validated when the host starts.</summary>
    public static void AddSection<TOptions, TValidator>(this IHostApplicationBuilder builder, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        builder.Services.AddSingleton(new BoundSection(section, typeof(TOptions)));
        builder.Services.AddSingleton<IValidateOptions<TOptions>, TValidator>();
        builder.Services.AddOptions<TOptions>().BindConfiguration(section).ValidateOnStart();
    }
}

/// <summary>A section of the configuration and the type it is bound to.</summary>
internal sealed record BoundSection(string Name, Type Type);
