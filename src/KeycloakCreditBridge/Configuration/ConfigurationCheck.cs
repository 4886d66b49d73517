using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration;

/// <summary>Finds everything that is wrong with the configuration at once, before anything is started with it.</summary>
internal static class ConfigurationCheck
{
    /// <summary>Checks all sections of the bridge, or only those named.</summary>
    /// <returns>One line for each problem, beginning with the key; none when the configuration can be used.</returns>
    public static IReadOnlyList<string> Problems(IServiceProvider services, params IReadOnlyCollection<string> only)
    {
        var configuration = services.GetRequiredService<IConfiguration>();
        var all = services.GetServices<BoundSection>().ToList();
        List<string> problems = [.. MisspelledSections(configuration, all)];
        foreach (var section in all.Where(section => only.Count == 0 || only.Contains(section.Name)))
        {
            var shape = new SectionShape(all).Problems(configuration.GetSection(section.Name), section.Type);
            problems.AddRange(
                shape.Where(problem => problem.Path != section.Name || !IsOfEnvironment(configuration, section.Name))
                    .Select(problem => problem.Text));
            problems.AddRange(BrokenRules(services, section, Bindable(configuration, shape)));
        }

        if (LogsModule.Problem(configuration) is { } logs)
            problems.Add(logs);
        return problems;
    }

    /// <exception cref="ConfigurationException">Something is wrong.</exception>
    public static void Run(IServiceProvider services, params IReadOnlyCollection<string> only)
    {
        if (Problems(services, only) is { Count: > 0 } problems)
            throw new ConfigurationException(problems);
    }

    // Other programs' variables share the environment, so only what is nearly the name of a section is taken for one.
    private static IEnumerable<string> MisspelledSections(IConfiguration configuration, IReadOnlyCollection<BoundSection> sections)
    {
        var names = sections.Select(section => section.Name).ToList();
        return
            from child in configuration.GetChildren()
            where child.GetChildren().Any() && !names.Contains(child.Key, StringComparer.OrdinalIgnoreCase)
            let meant = NearestKey.Of(child.Key, names)
            where meant is not null
            select $"{child.Key} is not a section of the configuration: did you mean {meant}?";
    }

    // Kubernetes and Docker set variables such as KEYCLOAK or API of their own. None of the bridge's is without a separator.
    private static bool IsOfEnvironment(IConfiguration configuration, string section) =>
        configuration is IConfigurationRoot root
        && root.Providers.LastOrDefault(provider => provider.TryGet(section, out _)) is EnvironmentVariablesConfigurationProvider;

    // Without the values that do not convert, so that the others can be validated all the same.
    private static IConfigurationRoot Bindable(IConfiguration configuration, IReadOnlyList<ShapeProblem> shape)
    {
        var unusable = shape.Where(problem => problem.PreventsBinding).Select(problem => problem.Path).ToList();
        var usable = configuration.AsEnumerable().Where(item => !unusable.Exists(path => IsPart(item.Key, path)));
        return new ConfigurationBuilder().AddInMemoryCollection(usable).Build();

        static bool IsPart(string key, string path) =>
            key.Equals(path, StringComparison.OrdinalIgnoreCase)
            || key.StartsWith(path + ConfigurationPath.KeyDelimiter, StringComparison.OrdinalIgnoreCase);
    }

    private static IEnumerable<string> BrokenRules(IServiceProvider services, BoundSection section, IConfiguration bindable)
    {
        var options = bindable.GetSection(section.Name).Get(section.Type) ?? Activator.CreateInstance(section.Type)!;
        var rules = typeof(IValidateOptions<>).MakeGenericType(section.Type);
        var validate = rules.GetMethod(nameof(IValidateOptions<>.Validate))!;
        return services.GetServices(rules)
            .Select(rule => (ValidateOptionsResult)validate.Invoke(rule, [Options.DefaultName, options])!)
            .SelectMany(result => result.Failures ?? []);
    }
}
